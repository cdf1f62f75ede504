"""A request from queue to record: hang-ups, dead engines, new snapshots, and what is billed."""

import asyncio
import json
from dataclasses import replace

from inland.domain.limits import Limits
from inland.domain.plant import ReplicaState
from inland.ports.engine import Counts, End, Ending
from tests.patience import PATIENCE_S
from tests.unit.gateway.world import ASK, KEYS, Caller, ScriptedCall, World, caller, snapshot, world

BODY = json.dumps({"model": "smol", "messages": ASK}).encode()
STREAM = json.dumps({"model": "smol", "messages": ASK, "stream": True}).encode()
LONG = json.dumps({"model": "smol", "messages": [{"role": "user", "content": "x" * 9000}]}).encode()


def test_no_byte_of_a_stream_leaves_before_its_opening_is_durable() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.engine.answer = None
            w.journal.held = True
            c.ask(STREAM)
            (call,) = await w.calls(1)
            call.say("one", " two")
            reading = asyncio.create_task(c.head())
            await asyncio.sleep(0.05)
            assert not reading.done()
            assert call.paused
            w.journal.sync()
            assert (await reading).status == 200
            assert not call.paused

    asyncio.run(main())


def test_the_end_waits_for_the_record() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.engine.answer = None
            c.ask(STREAM)
            (call,) = await w.calls(1)
            call.say("one")
            await c.head()
            assert b'"one"' in await c.chunk()
            w.journal.held = True
            call.finish()
            reading = asyncio.create_task(c.chunks())
            await asyncio.sleep(0.05)
            assert not reading.done()
            w.journal.sync()
            assert (await reading).endswith(b"data: [DONE]\n\n")

    asyncio.run(main())


def test_a_whole_answer_waits_for_its_record() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.journal.held = True
            c.ask(BODY)
            await w.until(w.journal.records)
            reading = asyncio.create_task(c.reply())
            await asyncio.sleep(0.05)
            assert not reading.done()
            w.journal.sync()
            assert (await reading).status == 200

    asyncio.run(main())


def test_a_short_stream_may_end_before_its_opening_is_durable() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.journal.held = True
            c.ask(STREAM)
            await w.until(w.journal.records)
            w.journal.sync()
            got = await c.reply()
            assert got.body.endswith(b"data: [DONE]\n\n")
            assert b"Good" in got.body

    asyncio.run(main())


def test_hang_up_in_a_stream_stops_the_engine_and_bills_what_was_relayed() -> None:
    async def main() -> None:
        async with world() as w:
            w.engine.answer = None
            async with caller(w) as c:
                c.ask(STREAM)
                (call,) = await w.calls(1)
                call.say("one", " two", " three")
                await c.head()
                await c.chunk()
            await w.until(w.journal.records)
            assert call.cancelled
            (record,) = w.journal.records()
            assert (record["outcome"], record["billed"]) == ("hung-up", True)
            assert (record["completion_tokens"], record["wasted_tokens_estimated"]) == (3, 2)
            assert record["prompt_tokens"] == 7
            assert len(record["output"]) == 1

    asyncio.run(main())


def test_hang_up_before_a_whole_answer_bills_no_completion() -> None:
    async def main() -> None:
        async with world() as w:
            w.engine.answer = None
            async with caller(w) as c:
                c.ask(BODY)
                (call,) = await w.calls(1)
                call.say("one", " two")
            await w.until(w.journal.records)
            (record,) = w.journal.records()
            assert (record["completion_tokens"], record["wasted_tokens_estimated"]) == (0, 4)
            assert record["output"] == []

    asyncio.run(main())


def test_hang_up_in_the_queue_frees_its_place() -> None:
    async def main() -> None:
        async with world() as w:
            w.engine.answer = None
            async with caller(w) as first:
                w.apply(snapshot(2, slots=1))
                first.ask(BODY)
                (call,) = await w.calls(1)
                async with caller(w) as second:
                    second.ask(BODY)
                    await w.until(lambda: w.gateway._desk.lanes["smol"].waiting == 1)
                await w.until(lambda: w.gateway._desk.lanes["smol"].waiting == 0)
                call.finish()
                assert (await first.reply()).status == 200
            assert len(w.engine.calls) == 1
            assert len(w.journal.records()) == 1

    asyncio.run(main())


def test_engine_gone_before_a_token_is_tried_again_once_it_is_back() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.engine.answer = None
            c.ask(BODY)
            (call,) = await w.calls(1)
            call.end(End(Ending.GONE, connected=False))
            w.engine.answer = ("again",)
            assert json.loads((await c.reply()).body)["choices"][0]["message"]["content"] == "again"
            assert len(w.journal.records()) == 1

    asyncio.run(main())


def test_an_engine_that_dies_under_a_request_each_time_is_given_up() -> None:
    async def main() -> None:
        async with world(replace(Limits(), rest_ms=0)) as w, caller(w) as c:
            w.engine.answer = None
            c.ask(BODY)
            for tried in range(3):
                (await w.calls(tried + 1))[tried].end(End(Ending.GONE))
            assert (await c.reply()).status == 503
            assert len(w.engine.calls) == 3

    asyncio.run(main())


def test_engine_gone_in_a_stream_ends_it_with_an_error_and_bills_nothing() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.engine.answer = None
            c.ask(STREAM)
            (call,) = await w.calls(1)
            call.say("one")
            await c.head()
            await c.chunk()
            call.end(End(Ending.GONE, Counts(7, 1)))
            assert b'"error"' in await c.chunk()
            assert await c.rest() == b""
            await w.until(w.journal.records)
            (record,) = w.journal.records()
            assert (record["outcome"], record["billed"]) == ("failed", False)
            assert record["completion_tokens"] == 1

    asyncio.run(main())


def test_an_answer_that_lacks_a_choice_is_not_passed_off_as_whole() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.engine.answer = None
            c.ask(BODY.replace(b"}]", b'}], "n": 2'))
            (call,) = await w.calls(1)
            call.say("one")
            call.end(End(Ending.COMPLETE, Counts(7, 1)))
            assert (await c.reply()).status == 502
            assert w.journal.records()[0]["outcome"] == "failed"

    asyncio.run(main())


def test_engines_refusal_of_the_request_is_the_callers_to_mend() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.engine.answer = None
            c.ask(BODY)
            (call,) = await w.calls(1)
            call.end(End(Ending.REFUSED, status=400, why="exceeds the context size"))
            got = await c.reply()
            assert got.status == 400
            assert b"exceeds the context size" in got.body
            w.gateway._flush_refusals()
            assert w.journal.records("refusal")[0]["code"] == "engine_refused"

    asyncio.run(main())


def test_a_new_snapshot_ends_what_it_denies_queued_and_running() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as running, caller(w) as queued, caller(w) as stream:
            w.engine.answer = None
            w.apply(snapshot(2, slots=2))
            running.ask(BODY)
            (first,) = await w.calls(1)
            stream.ask(STREAM)
            second = (await w.calls(2))[1]
            second.say("one")
            await stream.head()
            await stream.chunk()
            queued.ask(BODY)
            await w.until(lambda: w.gateway._desk.lanes["smol"].waiting == 1)
            w.decider.denied.add((KEYS["demo"].id, "smol"))
            w.apply(snapshot(3, slots=2))
            assert (await running.reply()).status == 403
            assert (await queued.reply()).status == 403
            assert b"policy_denied" in await stream.chunk()
            assert await stream.rest() == b""
            await w.until(lambda: len(w.journal.records()) == 2)
            assert first.cancelled
            assert second.cancelled
            assert {r["outcome"] for r in w.journal.records()} == {"failed"}
            assert not any(r["billed"] for r in w.journal.records())
            assert len(w.engine.calls) == 2

    asyncio.run(main())


def test_revocation_ends_a_running_stream_and_another_tenants_goes_on() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as demo, caller(w) as acme:
            w.engine.answer = None
            demo.ask(STREAM)
            await w.calls(1)
            acme.ask(STREAM, key="acme")
            mine, other = await w.calls(2)
            for call, c in ((mine, demo), (other, acme)):
                call.say("one")
                await c.head()
                await c.chunk()
            new = snapshot(2)
            key = replace(new.keys[KEYS["demo"].id], revoked=True)
            w.apply(replace(new, keys={**new.keys, key.id: key}))
            assert b"revoked" in await demo.chunk()
            other.say(" two")
            assert b"two" in await acme.chunk()
            other.finish()
            assert (await acme.chunks()).endswith(b"[DONE]\n\n")

    asyncio.run(main())


def test_a_lease_that_ends_ends_what_runs() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.engine.answer = None
            c.ask(BODY)
            (call,) = await w.calls(1)
            w.lease[0] = False
            assert (await c.reply()).status == 503
            assert call.cancelled

    asyncio.run(main())


def test_a_removed_deployment_ends_what_it_served() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.engine.answer = None
            c.ask(BODY)
            await w.calls(1)
            w.apply(replace(snapshot(2), deployments={}, replicas={}))
            assert (await c.reply()).status == 404

    asyncio.run(main())


def test_requests_wait_for_a_replica_and_are_told_when_none_comes() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            new = snapshot(2)
            starting = replace(new.replicas["r0"], state=ReplicaState.STARTING)
            w.apply(replace(new, replicas={"r0": starting}))
            c.ask(BODY)
            await w.until(lambda: w.gateway._desk.lanes["smol"].waiting == 1)
            w.apply(snapshot(3))
            assert (await c.reply()).status == 200
            w.apply(replace(snapshot(4), replicas={"r0": starting}))
            c.ask(BODY)
            await w.until(lambda: w.gateway._desk.lanes["smol"].waiting == 1)
            w.clock.ahead_s += 61
            late = await c.reply()
            assert (late.status, "retry-after" in late.headers) == (503, True)

    asyncio.run(main())


def test_a_replica_elsewhere_than_allowed_gets_nothing() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            new = snapshot(2)
            abroad = replace(new.replicas["r0"], place=replace(new.replicas["r0"].place, id="far"))
            w.apply(replace(new, replicas={"r0": abroad}))
            c.ask(BODY)
            assert (await c.reply()).status == 503
            assert not w.engine.calls

    asyncio.run(main())


def test_all_the_time_there_is_ends_a_request() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.engine.answer = None
            c.ask(BODY)
            (call,) = await w.calls(1)
            w.clock.ahead_s += 601
            assert (await c.reply()).status == 504
            assert call.cancelled

    asyncio.run(main())


def test_a_full_queue_says_when_to_come_back() -> None:
    async def main() -> None:
        async with (
            world(replace(Limits(), queue=1, drain_s=0.1)) as w,
            caller(w) as one,
            caller(w) as two,
            caller(w) as three,
        ):
            w.engine.answer = None
            w.apply(snapshot(2, slots=1))
            one.ask(BODY)
            await w.calls(1)
            two.ask(BODY)
            await w.until(lambda: w.gateway._desk.lanes["smol"].waiting == 1)
            three.ask(BODY)
            full = await three.reply()
            assert (full.status, full.headers["retry-after"]) == (429, "1")

    asyncio.run(main())


async def paused_by_a_slow_reader(w: World, c: Caller) -> ScriptedCall:
    """A stream whose caller reads its head and no more, once that has stopped the engine."""
    w.engine.answer = None
    c.ask(STREAM)
    (call,) = await w.calls(1)
    call.say("one")
    await c.head()
    c.writer.transport.pause_reading()  # type: ignore[attr-defined]
    while not call.paused:
        call.say("x" * 65536)
        await asyncio.sleep(0)
    return call


def test_a_slow_reader_pauses_the_engine_and_one_that_stalls_is_cut() -> None:
    async def main() -> None:
        limits = replace(Limits(), write_buffer_bytes=1 << 14, drain_s=0.1)
        async with world(limits) as w, caller(w) as c:
            await paused_by_a_slow_reader(w, c)
            w.clock.ahead_s += 31
            await w.until(w.journal.records)
            assert w.journal.records()[0]["outcome"] == "hung-up"

    asyncio.run(main())


def test_stopping_lets_what_runs_finish() -> None:
    async def main() -> None:
        async with world(replace(Limits(), drain_s=PATIENCE_S)) as w, caller(w) as c:
            w.engine.answer = None
            c.ask(BODY)
            (call,) = await w.calls(1)
            w.stop.set()
            asyncio.get_running_loop().call_later(0.1, call.finish)
            got = await c.reply()
            assert (got.status, got.headers["connection"]) == (200, "close")

    asyncio.run(main())


def test_what_control_says_is_run_though_its_version_is_a_lower_one() -> None:
    """A database put back counts from where it was; the gateway tells control what it runs."""

    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.apply(snapshot(version=50))
            held = dict(snapshot().keys)
            mine = KEYS["demo"].id
            held[mine] = replace(held[mine], revoked=True)
            w.apply(replace(snapshot(version=41), keys=held))
            assert w.gateway.version == 41
            c.ask(BODY)
            assert (await c.reply()).status == 401

    asyncio.run(main())


def test_a_key_that_expires_in_the_queue_is_not_served() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as first, caller(w) as second:
            w.engine.answer = None
            held, mine = dict(snapshot().keys), KEYS["demo"].id
            soon = w.clock.unix_us() // 1_000_000 + 40
            held[mine] = replace(held[mine], expires_unix_s=soon)
            w.apply(replace(snapshot(version=2, slots=1), keys=held))
            first.ask(BODY, key="acme")
            (call,) = await w.calls(1)
            second.ask(BODY)
            await w.until(lambda: w.gateway.metrics()["gauges"]["queue_waiting"]["series"][0][1])
            w.clock.ahead_s += 50
            call.finish()
            assert (await second.reply()).status == 401
            assert len(w.engine.calls) == 1

    asyncio.run(main())


def test_an_engine_that_cannot_be_called_fails_one_request_and_holds_up_no_other() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as a, caller(w) as b, caller(w) as c:
            w.apply(snapshot(version=2, slots=1))
            w.engine.answer = None
            a.ask(BODY)
            (call,) = await w.calls(1)
            b.ask(BODY)
            c.ask(BODY, key="acme")
            await w.until(
                lambda: w.gateway.metrics()["gauges"]["queue_waiting"]["series"][0][1] == 2
            )
            w.engine.broken = 1
            call.finish()
            assert (await a.reply()).status == 200
            assert (await b.reply()).status == 500
            (await w.calls(2))[1].finish()
            assert (await c.reply()).status == 200

    asyncio.run(main())


def test_a_reader_that_is_slow_before_the_engine_is_reached_is_still_waited_for() -> None:
    """The engine's client is told to pause once there is something to pause."""

    async def main() -> None:
        limits = replace(Limits(), write_buffer_bytes=1 << 14, drain_s=0.1)
        async with world(limits) as w, caller(w) as c:
            call = await paused_by_a_slow_reader(w, c)
            call.paused = False  # it forgot: there was no connection yet
            call.say("more")
            assert call.paused

    asyncio.run(main())


def test_requests_that_wait_hold_a_bounded_amount_of_text() -> None:
    async def main() -> None:
        limits = replace(Limits(), bodies_bytes=3 * len(LONG) // 2, drain_s=0.1)
        async with world(limits) as w, caller(w) as first, caller(w) as second:
            w.engine.answer = None
            first.ask(LONG)
            (call,) = await w.calls(1)
            second.ask(LONG)
            full = await second.reply()
            assert (full.status, full.headers["retry-after"]) == (503, "1")
            call.finish()
            assert (await first.reply()).status == 200
            second.ask(LONG)
            (await w.calls(2))[1].finish()
            assert (await second.reply()).status == 200

    asyncio.run(main())
