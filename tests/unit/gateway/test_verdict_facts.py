"""What verdicts need is in the records: how a request ended, who kept it waiting, who left."""

import asyncio
import json
from dataclasses import replace

import pytest

from inland.domain.limits import Limits
from inland.ports.engine import End, Ending
from tests.unit.gateway.test_life import BODY, STREAM, paused_by_a_slow_reader
from tests.unit.gateway.world import KEYS, caller, snapshot, world

PATIENT = replace(Limits(), drain_s=0.2, queue_s=3600, stall_s=3600, write_buffer_bytes=1 << 14)


def test_a_caller_that_leaves_the_queue_is_on_the_books_with_how_long_it_waited() -> None:
    async def main() -> None:
        async with world(PATIENT) as w, caller(w) as busy:
            w.apply(snapshot(2, slots=1))
            w.engine.answer = None
            busy.ask(STREAM)
            await w.calls(1)
            async with caller(w) as c:
                c.ask(BODY)
                await w.until(lambda: w.gateway._desk.lanes["smol"].waiting)
                w.clock.ahead_s += 504
            await w.until(lambda: w.journal.records("refusal"))
            (record,) = w.journal.records("refusal")
            assert (record["status"], record["code"], record["count"]) == (499, "hung_up", 1)
            assert record["waited_ms"] == 500_000
            assert record["deployment"] == "smol"

    asyncio.run(main())


def test_a_record_says_with_which_status_it_ended() -> None:
    async def main() -> None:
        async with world() as w:
            async with caller(w) as c:
                c.ask(BODY)
                await c.reply()
            w.engine.answer = None
            async with caller(w) as c:
                c.ask(STREAM)
                (await w.calls(2))[1].say("one")
                await c.head()
            async with caller(w) as c:
                c.ask(STREAM)
                call = (await w.calls(3))[2]
                call.say("one")
                await c.head()
                call.end(End(Ending.GONE, call.counts()))
                await c.rest()
            async with caller(w) as c:
                c.ask(STREAM)
                (await w.calls(4))[3].say("one")
                await c.head()
                w.decider.denied.add((KEYS["demo"].id, "smol"))
                w.apply(snapshot(2))
                await c.rest()
            await w.until(lambda: len(w.journal.records()) == 4)
            ended = {one["id"]: (one["outcome"], one["status"]) for one in w.journal.records()}
            found = [ended[one] for one in sorted(ended)]
            assert found == [("complete", 200), ("hung-up", 499), ("failed", 503), ("failed", 403)]
            assert {one["stalled_us"] for one in w.journal.records()} == {0}

    asyncio.run(main())


def test_a_caller_that_did_not_read_is_why_its_answer_took_long() -> None:
    async def main() -> None:
        async with world(PATIENT) as w, caller(w) as c:
            call = await paused_by_a_slow_reader(w, c)
            w.clock.ahead_s += 20
            c.writer.transport.resume_reading()  # type: ignore[attr-defined]
            reading = asyncio.create_task(c.rest())
            await w.until(lambda: not call.paused)
            w.clock.ahead_s += 100
            call.finish()
            await w.until(w.journal.records)
            (record,) = w.journal.records()
            assert 20_000_000 <= record["stalled_us"] < 100_000_000 < record["duration_us"]
            reading.cancel()

    asyncio.run(main())


def test_a_first_token_that_waits_for_its_opening_has_not_left() -> None:
    async def main() -> None:
        async with world(PATIENT) as w, caller(w) as c:
            w.engine.answer = None
            w.journal.held = True
            c.ask(STREAM)
            (call,) = await w.calls(1)
            call.say("one")
            w.clock.ahead_s += 50
            w.journal.held = False
            w.journal.sync()
            await c.head()
            w.clock.ahead_s += 50
            call.finish()
            await w.until(w.journal.records)
            (record,) = w.journal.records()
            assert 50_000_000 <= record["ttft_us"] < 100_000_000 <= record["duration_us"]

    asyncio.run(main())


@pytest.mark.parametrize(("key", "noted"), [("demo", 1), ("nobody", 0)])
def test_what_a_gateway_without_a_lease_refuses_is_on_a_known_tenants_books(
    key: str, noted: int
) -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.lease[0] = False
            c.ask(BODY, key) if noted else c.send(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer inl_"
                + b"a" * 16
                + b"_"
                + b"b" * 48
                + b"\r\ncontent-length: 2\r\n\r\n{}"
            )
            assert (await c.reply()).status == 503
            async with caller(w) as other:  # something else that is sure to be noted
                w.lease[0] = True
                other.ask(json.dumps({"model": "nope", "messages": []}).encode())
                await other.reply()
            await w.until(lambda: w.journal.records("refusal"))
            found = [one for one in w.journal.records("refusal") if one["status"] == 503]
            assert [(one["tenant"], one["deployment"]) for one in found] == [("demo", None)] * noted

    asyncio.run(main())
