"""A keeper that lately kept somebody waiting for nothing is left alone for a moment.

Whoever asks meanwhile is told why at once: threads are not spent on waiting, and the first to ask
after the moment is the only one that tries.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

#: A failure that took longer than this, in seconds, is worth not being repeated by everybody.
SLOW_S = 2.0
#: For how long nobody tries after it, in seconds, and how long the one who tries then may take.
REST_S, TRIAL_S = 2.0, 60.0


class Resting(Exception):
    """It is not asked now; the text is why the last one failed."""


class Rest:
    """Of one keeper. Threads may share it."""

    def __init__(
        self,
        rest_s: float = REST_S,
        slow_s: float = SLOW_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rest_s = rest_s
        self._slow_s = slow_s
        self._monotonic = monotonic
        self._lock = Lock()
        self._until_s = 0.0
        self._why = ""

    @contextmanager
    def asking(self, *failures: type[Exception]) -> Iterator[None]:
        """Ask the keeper in the block, which raises one of `failures` where it failed.

        Raises Resting, and whatever the block does.
        """
        began_s = self._monotonic()
        with self._lock:
            if began_s < self._until_s:
                raise Resting(self._why)
            if self._why:
                self._until_s = began_s + TRIAL_S
        try:
            yield
        except failures as error:
            self._failed(str(error), self._monotonic() - began_s)
            raise
        except BaseException:
            self._worked()  # it answered
            raise
        self._worked()

    def _failed(self, why: str, took_s: float) -> None:
        with self._lock:
            if took_s >= self._slow_s and self._rest_s:
                self._why, self._until_s = why, self._monotonic() + self._rest_s
            else:  # so fast that everybody may find out
                self._why, self._until_s = "", 0.0

    def _worked(self) -> None:
        with self._lock:
            self._why, self._until_s = "", 0.0
