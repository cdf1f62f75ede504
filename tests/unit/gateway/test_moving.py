"""A replica is lost or taken away: who was sent nothing is served elsewhere, who was is told."""

import asyncio
import json
from dataclasses import replace

import pytest

from inland.domain.plant import ReplicaState
from inland.domain.snapshot import Snapshot
from inland.ports.engine import Counts, End, Ending
from tests.unit.gateway.world import ASK, World, caller, snapshot, world

BODY = json.dumps({"model": "smol", "messages": ASK, "max_tokens": 50}).encode()
STREAM = json.dumps({"model": "smol", "messages": ASK, "max_tokens": 50, "stream": True}).encode()


def two(version: int = 2, *gone: str, draining: str = "") -> Snapshot:
    """The deployment with two replicas, `a` and `b`, as far as they are not `gone`."""
    base = snapshot(version)
    each = {name: replace(base.replicas["r0"], id=name, address=name) for name in ("a", "b")}
    for name in gone:
        del each[name]
    if draining:
        each[draining] = replace(each[draining], state=ReplicaState.DRAINING)
    return replace(base, replicas=each)


def other(name: str) -> str:
    return "b" if name == "a" else "a"


async def settled(w: World) -> dict:
    await w.until(w.journal.records)
    (record,) = w.journal.records()
    return record


@pytest.mark.parametrize("removed", [False, True], ids=["lost", "taken away"])
def test_a_whole_answer_half_made_is_made_elsewhere_and_billed_once(removed: bool) -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.apply(two())
            w.engine.answer = None
            c.ask(BODY)
            (call,) = await w.calls(1)
            call.say("half", " an", " answer")
            if removed:
                w.apply(two(3, call.target.replica))
                assert call.cancelled
            else:
                call.end(End(Ending.GONE, call.counts()))
            again = (await w.calls(2))[1]
            assert again.target.replica == other(call.target.replica)
            again.say("whole")
            again.finish()
            answer = json.loads((await c.reply()).body)
            assert answer["choices"][0]["message"]["content"] == "whole"
            assert answer["usage"]["completion_tokens"] == 2
            record = await settled(w)
            assert (record["outcome"], record["billed"]) == ("complete", True)
            assert record["completion_tokens"] == 2
            assert record["wasted_tokens_estimated"] == call.counts().completion

    asyncio.run(main())


def test_a_stream_that_sent_nothing_moves_and_shows_nothing_of_the_first_engine() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.apply(two())
            w.engine.answer = None
            w.journal.held = True
            c.ask(STREAM)
            (call,) = await w.calls(1)
            call.say("first", " engine")  # held: its opening is not on the books
            call.end(End(Ending.GONE, call.counts()))
            again = (await w.calls(2))[1]
            w.journal.held = False
            w.journal.sync()
            again.say("second")
            again.finish()
            await c.head()
            text = await c.chunks()
            assert b"second" in text
            assert b"first" not in text
            assert (await settled(w))["completion_tokens"] == 2
            assert len(w.journal.openings()) == 1

    asyncio.run(main())


def test_an_opening_that_is_durable_while_the_request_waits_again_still_lets_it_begin() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.engine.answer = None
            w.journal.held = True
            c.ask(STREAM)
            (call,) = await w.calls(1)
            call.end(End(Ending.GONE))
            w.journal.held = False
            w.journal.sync()
            w.engine.answer = ("here",)
            assert (await c.head()).status == 200
            assert b"here" in await c.chunks()

    asyncio.run(main())


def test_a_stream_that_has_sent_a_token_ends_with_an_error_and_a_record() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.apply(two())
            w.engine.answer = None
            c.ask(STREAM)
            (call,) = await w.calls(1)
            call.say("one")
            await c.head()
            await c.chunk()
            w.apply(two(3, call.target.replica))
            assert b"replica_removed" in await c.chunk()
            assert await c.rest() == b""
            record = await settled(w)
            assert (record["outcome"], record["billed"]) == ("failed", False)
            assert len(w.engine.calls) == 1

    asyncio.run(main())


def test_a_draining_replica_finishes_what_it_has_and_gets_no_more() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c, caller(w) as d:
            w.apply(two())
            w.engine.answer = None
            c.ask(STREAM)
            (call,) = await w.calls(1)
            call.say("one")
            w.apply(two(3, draining=call.target.replica))
            for n in range(4):
                d.ask(BODY)
                more = (await w.calls(n + 2))[n + 1]
                assert more.target.replica == other(call.target.replica)
                more.say("x")
                more.finish()
                assert (await d.reply()).status == 200
            assert not call.cancelled
            running = w.gateway.metrics()["gauges"]["replica_requests"]["series"]
            assert [[call.target.replica], 1] in running
            call.say(" two")
            call.finish()
            await c.head()
            assert b"[DONE]" in await c.chunks()

    asyncio.run(main())


def test_who_hangs_up_while_it_moves_is_let_go_and_recorded_once() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.apply(two())
            w.engine.answer = None
            c.ask(BODY)
            (call,) = await w.calls(1)
            w.apply(two(3, call.target.replica))
            (request,) = w.gateway._desk.active
            request.hung_up()
            await w.until(lambda: call.ended)
            record = await settled(w)
            assert (record["outcome"], record["completion_tokens"]) == ("hung-up", 0)
            assert len(w.engine.calls) == 1
            assert w.gateway._desk.lanes["smol"].running == 0

    asyncio.run(main())


def test_a_request_that_moves_waits_as_long_as_any_other() -> None:
    """It ran for longer than anybody may wait: that is not held against it."""

    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.engine.answer = None
            c.ask(BODY)
            (call,) = await w.calls(1)
            w.clock.ahead_s += 300
            call.end(End(Ending.GONE, Counts(7, 1)))
            w.engine.answer = ("late",)
            assert (await c.reply()).status == 200

    asyncio.run(main())


def test_a_deployment_scaled_to_none_says_so_at_once() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            base = snapshot(2)
            none = {"smol": replace(base.deployments["smol"], replicas=0)}
            w.apply(replace(base, deployments=none, replicas={}))
            c.ask(BODY)
            refused = await c.reply()
            assert refused.status == 503
            assert json.loads(refused.body)["error"]["code"] == "model_failed"

    asyncio.run(main())
