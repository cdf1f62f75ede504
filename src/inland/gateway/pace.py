"""When an answer's tokens come, and how long its caller kept it waiting because it did not read."""

import msgspec

from inland.gateway.lane import Lane


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


class Pace(msgspec.Struct, gc=False):
    """One request's, from when it `arrived`. `ttft_us`: until its first token, None before."""

    arrived: float
    stalls: Stalls = msgspec.field(default_factory=Stalls)
    ttft_us: int | None = None
    _last: float = 0.0

    def took(self, count: int, lane: Lane, now: float, *, is_last: bool) -> None:
        """`count` pieces came; the lane's timings are told."""
        if self.ttft_us is None:
            self.ttft_us = self.since_us(now)
            lane.timings.ttft.observe(now - self.arrived)
        else:
            between_s = (now - self._last) / count
            lane.timings.inter_token.observe(between_s, count)
            if not (is_last or self.stalls.since(self._last)):  # an end is no token
                lane.timings.steps.add(between_s, count, lane.running)
        self._last = now

    def first_leaves(self, now: float) -> None:
        """What came before could not leave until now."""
        if self.ttft_us is not None:
            self.ttft_us = self.since_us(now)

    def since_us(self, now: float) -> int:
        """Since it arrived, in microseconds."""
        return max(0, int((now - self.arrived) * 1e6))
