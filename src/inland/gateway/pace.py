"""How long a caller kept its own answer waiting because it did not read."""

import msgspec


class Stalls(msgspec.Struct, gc=False):
    """`is_now`: whether it keeps it waiting at present."""

    is_now: bool = False
    _since: float = 0.0
    _ended: float = 0.0
    _total_s: float = 0.0

    def begin(self, now: float) -> None:
        """It stopped reading."""
        self._total_s = self.total_s(now)
        self._since, self.is_now = now, True

    def end(self, now: float) -> None:
        """It reads again."""
        self._total_s, self.is_now, self._ended = self.total_s(now), False, now

    def since(self, then: float) -> bool:
        """Whether it kept its answer waiting at any time after `then`."""
        return self.is_now or self._ended > then

    def total_s(self, now: float) -> float:
        """In all, what goes on now included."""
        return self._total_s + (now - self._since if self.is_now else 0.0)
