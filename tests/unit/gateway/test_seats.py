"""Slots as requests get them: what a tenant left in one serves that tenant, whichever its key."""

import asyncio
import json
from dataclasses import replace

from inland.decide.slots import SETTLE_S, Share
from inland.domain.plant import Residue
from inland.domain.shares import Demand, Portion
from inland.gateway.prefix import BLOCK_BYTES, BLOCKS, prefix_of
from inland.ports.engine import Chat, Counts, End, Ending, Message, Piece
from tests.unit.gateway.world import KEYS, World, caller, snapshot, world

FIRST = Share(first=True)


def body(text: str, **fields: object) -> bytes:
    messages = [{"role": "user", "content": text * 100}]
    return json.dumps({"model": "smol", "messages": messages, **fields}).encode()


async def ask(w: World, key: str, text: str, **fields: object) -> tuple[int | None, bool]:
    """One request from beginning to end: the slot it had, and whether what was there was reused."""
    async with caller(w) as c:
        c.ask(body(text, **fields), key)
        await c.reply()
    target = w.engine.calls[-1].target
    return target.slot, target.reuse


def test_a_prompt_is_found_again_by_its_tenant_and_by_no_other() -> None:
    async def main() -> None:
        async with world(share=FIRST) as w:
            slot, reuse = await ask(w, "demo", "one prompt ")
            assert not reuse
            assert await ask(w, "demo", "one prompt ", stream=True) == (slot, True)
            assert await ask(w, "acme", "one prompt ") == (1, False)
            assert await ask(w, "acme", "one prompt ") == (1, True)
            assert await ask(w, "demo", "one prompt ") == (slot, True)

    asyncio.run(main())


def test_what_another_left_is_cleared_whatever_became_of_the_request() -> None:
    ends = [
        End(Ending.REFUSED, status=400, residue=Residue.UNKNOWN),
        End(Ending.GONE, residue=Residue.UNKNOWN),
        End(Ending.STOPPED, residue=Residue.PENDING),
    ]

    async def main(end: End) -> None:
        async with world(share=FIRST) as w:
            w.apply(snapshot(2, slots=1))
            await ask(w, "acme", "a secret ")
            w.engine.answer = None
            async with caller(w) as c:
                c.ask(body("a secret "))
                (call,) = (await w.calls(2))[1:]
                call.end(end)
            w.engine.answer = ("Good",)
            w.clock.ahead_s += 1
            await asyncio.sleep(0.3)
            assert await ask(w, "demo", "a secret ") == (0, False)

    for end in ends:
        asyncio.run(main(end))


def test_a_hang_up_before_a_token_leaves_nothing_to_reuse() -> None:
    async def main() -> None:
        async with world(share=FIRST) as w:
            w.apply(snapshot(2, slots=1))
            w.engine.answer = None
            async with caller(w) as c:
                c.ask(body("a long question "))
                await w.calls(1)
            await w.until(lambda: w.engine.calls[0].ended)
            w.engine.answer = ("Good",)
            assert await ask(w, "demo", "a long question ") == (0, False)
            w.clock.ahead_s += SETTLE_S
            assert await ask(w, "demo", "a long question ") == (0, False)
            assert await ask(w, "demo", "a long question ") == (0, True)

    asyncio.run(main())


def test_an_engine_that_reuses_what_it_was_to_clear_is_not_believed() -> None:
    async def main() -> None:
        async with world(share=FIRST) as w:
            w.engine.answer = None
            async with caller(w) as c:
                c.ask(body("a prompt "))
                (call,) = await w.calls(1)
                call.say("Yes")
                call.sink.pieces([Piece(0, "", "stop")])
                call.end(End(Ending.COMPLETE, Counts(7, 1, cached=5), residue=Residue.PROMPT))
                got = await c.reply()
                assert (got.status, b"cannot be believed" in got.body) == (502, True)

    asyncio.run(main())


def test_all_choices_have_a_slot_and_only_one_is_named() -> None:
    async def main() -> None:
        async with world(share=FIRST) as w:
            w.engine.answer = None
            async with caller(w) as one, caller(w) as other:
                one.ask(body("x", n=3))
                await w.calls(1)
                other.ask(body("y"), "acme")
                calls = await w.calls(2)
                assert [call.target.slot for call in calls] == [0, 3]
                for call in calls:
                    call.finish()
                await one.reply()
                await other.reply()

    asyncio.run(main())


def test_a_later_life_of_a_gateway_knows_nothing_of_the_slots() -> None:
    async def main() -> None:
        async with world(share=Share()) as w:
            for _ in range(5):
                assert not (await ask(w, "demo", "one prompt "))[1]
            w.clock.ahead_s += SETTLE_S
            slot, _ = await ask(w, "demo", "one prompt ")
            assert await ask(w, "demo", "one prompt ") == (slot, True)

    asyncio.run(main())


def test_a_deployment_that_was_gone_comes_back_unknown() -> None:
    async def main() -> None:
        async with world(share=FIRST) as w:
            slot, _ = await ask(w, "demo", "one prompt ")
            assert (await ask(w, "demo", "one prompt ")) == (slot, True)
            w.apply(replace(snapshot(2), deployments={}, replicas={}))
            w.apply(snapshot(3))
            for _ in range(5):
                assert not (await ask(w, "demo", "one prompt "))[1]

    asyncio.run(main())


def test_one_of_several_gateways_uses_the_slots_that_control_deals_to_it() -> None:
    async def main() -> None:
        async with world(share=Share(2, first=True)) as w:
            lane = w.gateway._desk.lanes["smol"]
            asking = asyncio.create_task(ask(w, "demo", "demo asks "))
            await w.until(lambda: lane.waiting == 1)
            assert lane.demand(1) == Demand((), {"demo": (1, 0, 0)})
            lane.take(Portion((1, 3), 2, 2), 1)
            used = [await asking, *[await ask(w, key, f"{key} asks ") for key in ("acme", "demo")]]
            assert {slot for slot, _ in used} == {1, 3}
            assert not any(reuse for _, reuse in used), "nothing is known of what lies in them"
            lane.take(Portion((1, 3), 1, 1), 1)
            told = lane.demand(2)
            assert told is not None
            assert told.held == (1,)

    asyncio.run(main())


def test_every_key_of_a_tenant_finds_what_the_tenant_left() -> None:
    async def main() -> None:
        async with world(share=FIRST) as w:
            now = snapshot(2)
            operators = now.keys[KEYS["operator"].id]
            second = replace(now.keys[KEYS["demo"].id], id=operators.id)
            second = replace(second, secret_sha256=operators.secret_sha256)
            w.apply(replace(now, keys=now.keys | {second.id: second}))
            slot, _ = await ask(w, "demo", "one prompt ")
            assert await ask(w, "operator", "one prompt ") == (slot, True)

    asyncio.run(main())


def test_a_prefix_is_of_whole_blocks_bounded_and_no_text() -> None:
    def prefix(*contents: str) -> tuple[int, ...]:
        return prefix_of(Chat([Message("user", content) for content in contents]))

    assert prefix("short") == ()
    long = prefix("a" * 1000, "b" * 1000)
    assert len(long) == (2000 + 2 * 30) // BLOCK_BYTES
    assert prefix("a" * 1000, "c" * 1000)[:3] == long[:3]
    assert prefix("a" * 1000, "c" * 1000)[4:] != long[4:]
    assert prefix("z" + "a" * 999)[0] != long[0]
    assert len(prefix("a" * 1_000_000)) == BLOCKS
