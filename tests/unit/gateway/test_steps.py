"""What a gateway counts of an engine's steps: times between tokens that no caller held up."""

import asyncio
from dataclasses import replace

import pytest

from inland.domain.limits import Limits
from tests.unit.gateway.test_life import STREAM, paused_by_a_slow_reader
from tests.unit.gateway.world import World, caller, world

PATIENT = replace(Limits(), drain_s=0.2, stall_s=3600, write_buffer_bytes=1 << 14)


def _steps(w: World) -> list[float]:
    found: list[float] = w.gateway.metrics()["steps"]["smol"]
    return found


def test_gaps_are_counted_with_how_many_ran_beside() -> None:
    async def main() -> None:
        async with world(PATIENT) as w, caller(w) as one, caller(w) as other:
            w.engine.answer = None
            one.ask(STREAM)
            other.ask(STREAM)
            calls = await w.calls(2)
            for call in calls:
                call.say("a")
            w.clock.ahead_s += 2
            calls[0].say("b", "c")
            gaps, gap_s, beside = _steps(w)
            assert (gaps, beside) == (2, 4)
            assert gap_s == pytest.approx(2, abs=1)
            calls[1].finish()
            w.clock.ahead_s += 3
            calls[0].say("d")
            gaps, gap_s, beside = _steps(w)
            assert (gaps, beside) == (3, 5)  # the other's end was no token
            calls[0].finish()

    asyncio.run(main())


def test_what_a_slow_reader_held_up_is_not_counted() -> None:
    async def main() -> None:
        async with world(PATIENT) as w, caller(w) as c:
            call = await paused_by_a_slow_reader(w, c)
            gaps, gap_s, _ = _steps(w)
            w.clock.ahead_s += 1000
            call.say("late")
            c.writer.transport.resume_reading()  # type: ignore[attr-defined]
            reading = asyncio.create_task(c.rest())
            await w.until(lambda: not call.paused)
            w.clock.ahead_s += 1000
            call.say("first after it")
            assert _steps(w)[:2] == [gaps, gap_s]
            w.clock.ahead_s += 1
            call.say("as ever")
            assert _steps(w)[0] == gaps + 1
            assert _steps(w)[1] == pytest.approx(gap_s + 1, abs=1)
            call.finish()
            reading.cancel()

    asyncio.run(main())
