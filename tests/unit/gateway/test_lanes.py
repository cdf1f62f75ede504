"""Lanes as requests meet them: what is kept for a contract, charged, refused early, and counted."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace

from inland.decide.slots import Share
from inland.domain.capacity import Point, Profile, StepModel
from inland.domain.contracts import Contract
from inland.domain.plant import ReplicaState
from inland.ports.engine import End, Ending
from tests.unit.gateway.world import caller, snapshot, world

#: 20 ms a step and 1 ms for each sequence; a prompt token takes a tenth of one.
MODEL = StepModel(0.02, 0.0, 0.001, 0.0001, 0.0)
PROFILE = Profile("smol", 0, "", (Point(64, 16, 1e4, 400.0, 0.036),), MODEL, 16, 0.0, 1.0)
PROMISED = Contract("c1", "acme", "smol", 20, ttft_ms=60, prompt_tokens=64)


def sold(version=2, slots=16):
    """A contract with a TTFT of 60 ms for acme, on a deployment that was measured."""
    return replace(snapshot(version, slots), contracts={"c1": PROMISED}, profiles={"smol": PROFILE})


def body(**fields):
    messages = [{"role": "user", "content": "Hello? " * 8}]
    return json.dumps({"model": "smol", "messages": messages, "max_tokens": 50} | fields).encode()


async def flood(w, stack, count, key="demo"):
    """So many connections, each with a request under way."""
    for _ in range(count):
        (await stack.enter_async_context(caller(w))).ask(body(), key)


def test_a_quiet_tenant_with_an_objective_gets_in_at_once_beside_a_flood():
    async def main():
        async with world() as w, AsyncExitStack() as stack:
            w.engine.answer = None
            w.apply(sold())
            lane = w.gateway._desk.lanes["smol"]
            await flood(w, stack, 32)
            await w.until(lambda: lane.waiting == 26)
            assert len(w.engine.calls) == 6, "the objective chose the batch"
            await flood(w, stack, 1, "acme")
            await w.calls(7)
            w.apply(replace(sold(3), contracts={}))
            await w.calls(16)
            w.apply(sold(4))

    asyncio.run(main())


def test_what_a_request_cost_is_what_its_engine_counted():
    async def main():
        async with world() as w:
            async with caller(w) as c:
                c.ask(body())
                await c.reply()
            account = w.gateway._desk.lanes["smol"]._state.turns.accounts["demo"]
            assert account.served == 4 + 7 / 2  # the engine's 4 and 7 tokens, half for a prompt's

    asyncio.run(main())


def test_a_long_answer_is_charged_while_it_comes():
    async def main():
        async with world() as w:
            w.engine.answer = None
            account = w.gateway._desk.lanes["smol"]._state.turns.account("demo")
            async with caller(w) as c:
                c.ask(body(max_tokens=500))
                (call,) = await w.calls(1)
                begun = account.served
                for _ in range(100):
                    call.say("word")
                assert account.served > begun + 80
                call.finish()
                await c.reply()
            assert account.served == 101 + 7 / 2

    asyncio.run(main())


def test_a_wait_without_an_end_is_refused_at_once_with_the_time_the_model_tells():
    async def main():
        async with world() as w, AsyncExitStack() as stack:
            w.engine.answer = ["word"] * 49
            w.apply(replace(snapshot(2, 1), profiles={"smol": PROFILE}))
            async with caller(w) as c:
                c.ask(body())
                await c.reply()
            w.engine.answer = None
            await flood(w, stack, 60)  # 50 tokens of 21 ms each: more than 60 s
            async with caller(w) as c:
                c.ask(body())
                got = await c.reply()
                assert (got.status, b"would_wait_too_long" in got.body) == (429, True)
                assert 1 <= int(got.headers["retry-after"]) <= 3

    asyncio.run(main())


def test_a_prompt_that_was_read_for_one_who_hung_up_is_charged(monkeypatch):
    async def main():
        async with world() as w:
            w.engine.answer = None
            async with caller(w) as c:
                c.ask(body())
                (call,) = await w.calls(1)
                stopped = End(Ending.STOPPED)  # before a token came
                monkeypatch.setattr(call, "_stopped", lambda: call.end(stopped))
            await w.until(w.journal.records)
            account = w.gateway._desk.lanes["smol"]._state.turns.accounts["demo"]
            assert account.served == len(body()) // 4 / 2
            assert not account.running

    asyncio.run(main())


def test_what_waits_is_told_to_control_in_slots():
    async def main():
        async with world(share=Share(2)) as w, AsyncExitStack() as stack:
            w.apply(snapshot(2, 8))
            for _ in range(2):
                (await stack.enter_async_context(caller(w))).ask(body(n=3))
            lane = w.gateway._desk.lanes["smol"]
            await w.until(lambda: lane.waiting == 2)
            demand = lane.demand(1)
            assert demand is not None
            assert demand.tenants["demo"][0] == 6

    asyncio.run(main())


def test_a_contract_that_ends_starts_nothing_on_a_replica_that_drains():
    async def main():
        async with world() as w, AsyncExitStack() as stack:
            w.engine.answer = None
            w.apply(sold())
            await flood(w, stack, 10)
            await w.calls(6)
            plain = replace(sold(3), contracts={})
            r0 = replace(plain.replicas["r0"], state=ReplicaState.DRAINING)
            w.apply(replace(plain, replicas={"r0": r0}))
            assert len(w.engine.calls) == 6

    asyncio.run(main())
