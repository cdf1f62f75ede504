"""Who works on an asset just now: many on its parts, one on each that is written, or one on the
whole of it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from inland.domain.errors import Busy

#: How long one may wait for the others, in seconds.
WAIT_S = 10.0
_RETRY_AFTER_S = 1


class Claims:
    """Any number of threads may claim; a part never waits for the whole: it may take its time."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._parts: Counter[str] = Counter()
        self._written: set[tuple[str, int]] = set()
        self._whole: set[str] = set()

    @contextmanager
    def part(self, asset: str) -> Iterator[None]:
        """Work on one part. Raises Busy while somebody has the whole."""
        with self._changed:
            if asset in self._whole:
                raise Busy(f"asset {asset!r} is being changed", _RETRY_AFTER_S)
            self._parts[asset] += 1
        try:
            yield
        finally:
            with self._changed:
                self._parts[asset] -= 1
                if not self._parts[asset]:
                    del self._parts[asset]
                self._changed.notify_all()

    @contextmanager
    def written(self, asset: str, number: int) -> Iterator[None]:
        """Write one part, when nobody else does. Raises Busy as `part` does, or after `WAIT_S`."""
        one = (asset, number)
        with self.part(asset):
            with self._changed:
                free = self._changed.wait_for(lambda: one not in self._written, WAIT_S)
                self._await(free, asset)
                self._written.add(one)
            try:
                yield
            finally:
                with self._changed:
                    self._written.discard(one)
                    self._changed.notify_all()

    @contextmanager
    def whole(self, asset: str) -> Iterator[None]:
        """Work on all of it, when those before have ended. Raises Busy after `WAIT_S`."""
        with self._changed:
            self._await(asset not in self._whole or self._is_free(asset), asset)
            self._whole.add(asset)
            try:
                self._await(self._changed.wait_for(lambda: asset not in self._parts, WAIT_S), asset)
            except BaseException:
                self._release(asset)
                raise
        try:
            yield
        finally:
            with self._changed:
                self._release(asset)

    def _is_free(self, asset: str) -> bool:
        return self._changed.wait_for(lambda: asset not in self._whole, WAIT_S)

    def _await(self, came: bool, asset: str) -> None:  # noqa: FBT001 - reads as prose
        if not came:
            raise Busy(f"asset {asset!r} is being worked on", _RETRY_AFTER_S)

    def _release(self, asset: str) -> None:
        self._whole.discard(asset)
        self._changed.notify_all()
