"""Driving engines, to measure them: work of ours sent to any of them, from a thread, by the clock.

What an engine sends goes through the same readers as on the token path, within the same bounds.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from inland.domain.capacity import Stream
from inland.domain.errors import Damaged
from inland.domain.plant import EngineKind
from inland.ports.clock import Clock
from inland.ports.engine import Call, Counts, End, Engine, Piece, Target, Work

#: What calls get to end in, once they were told to.
_STOP_S = 5.0
#: Arrivals remembered of one stream: more than any rung asks for.
_ARRIVALS = 65_536


class Driver(Protocol):
    """How control measures a replica: it sends work of its own and looks at the clock."""

    def drives(self, kind: EngineKind) -> bool:
        """Whether it can measure engines of that kind."""
        ...

    def drive(
        self, kind: EngineKind, target: Target, works: Sequence[Work], limit_s: float
    ) -> tuple[Stream, ...]:
        """All `works` (streams) at once: what came of them, in their order. Blocks for at most
        `limit_s` and the time it takes to stop what is not done then."""
        ...

    def made(self, kind: EngineKind, address: str) -> int | None:
        """Completion tokens that the replica says it made in its life; None if it does not say."""
        ...


@dataclass(frozen=True, slots=True)
class Drivable:
    """A kind of engine: how its client is made, and how its own total of completion tokens is
    asked for (raising OSError or ValueError where it is not told)."""

    client: Callable[[], Engine]
    made: Callable[[str], int]


class EngineDriver:
    """`Driver` over clients of engines."""

    def __init__(self, engines: Mapping[EngineKind, Drivable], clock: Clock) -> None:
        self._engines = engines
        self._clock = clock

    def drives(self, kind: EngineKind) -> bool:
        """Whether there is a client for it."""
        return kind in self._engines

    def drive(
        self, kind: EngineKind, target: Target, works: Sequence[Work], limit_s: float
    ) -> tuple[Stream, ...]:
        """All at once, until the last ended or the time is over."""
        return asyncio.run(self._drive(self._engines[kind].client, target, works, limit_s))

    def made(self, kind: EngineKind, address: str) -> int | None:
        """The engine's own total."""
        try:
            return self._engines[kind].made(address)
        except (OSError, ValueError, KeyError):
            return None

    async def _drive(
        self, client: Callable[[], Engine], target: Target, works: Sequence[Work], limit_s: float
    ) -> tuple[Stream, ...]:
        engine = client()
        began = self._clock.monotonic()
        sinks = [_Seen(self._clock, began) for _ in works]
        calls: list[Call] = []
        for work, sink in zip(works, sinks, strict=True):
            calls.append(engine.call(target, work, sink))
        ended = [sink.over for sink in sinks]
        await asyncio.wait(ended, timeout=limit_s)
        late = [sink for sink in sinks if not sink.over.done()]
        if late:
            for call, sink in zip(calls, sinks, strict=True):
                if not sink.over.done():
                    call.cancel()
            await asyncio.wait([sink.over for sink in late], timeout=_STOP_S)
        await engine.close()
        return tuple(sink.stream() for sink in sinks)


class _Seen:
    """`ports.engine.Sink` that only remembers when what came."""

    def __init__(self, clock: Clock, began: float) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._clock = clock
        self._began = began
        self._at: list[tuple[float, int]] = []
        self._counts = Counts()

    def pieces(self, pieces: Sequence[Piece]) -> None:
        tokens = max((piece.tokens or 0 for piece in pieces), default=0)
        if tokens and len(self._at) < _ARRIVALS:
            self._at.append((self._clock.monotonic() - self._began, tokens))

    def ended(self, end: End) -> None:
        self._counts = end.counts
        if not self.over.done():
            self.over.set_result(None)

    def stream(self) -> Stream:
        counts = self._counts
        if counts.prompt < 0 or counts.completion < 0:
            raise Damaged("engine", "it counts below zero")
        return Stream(tuple(self._at), counts.prompt, counts.completion)
