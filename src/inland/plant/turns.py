"""Turns: what reads a month of records is made one at a time, and few wait for it.

Each takes a thread of control's while it is made or waits, and others must go on being answered.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from inland.domain.errors import Busy

#: How long anybody waits for a turn, and when to ask again after that, in seconds; how many wait.
WAIT_S = 10.0
MOST_WAITING = 8
_RETRY_AFTER_S = 5


class Turns:
    """Of one kind of thing, which `busy` names: "other reports"."""

    def __init__(self, busy: str, wait_s: float = WAIT_S, waiting: int = MOST_WAITING) -> None:
        self._busy = Busy(f"{busy} are being made", _RETRY_AFTER_S)
        self._wait_s = wait_s
        self._places = BoundedSemaphore(1 + waiting)
        self._one = Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The block is the only one. Raises Busy, at once where as many wait as may."""
        if not self._places.acquire(blocking=False):
            raise self._busy
        try:
            if not self._one.acquire(timeout=self._wait_s):
                raise self._busy
            try:
                yield
            finally:
                self._one.release()
        finally:
            self._places.release()
