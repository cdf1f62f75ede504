"""What llama.cpp does with the prompts it keeps: all that keeping tenants apart rests on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from inland.domain.plant import Residue
from inland.ports.engine import Call, Chat, End, Ending, Message, Work
from tests.contract.engine.conftest import Bench, open_llama
from tests.contract.engine.test_engine import Listener

HARBOURS = [Message("user", "Name the harbours of the north, from west to east. " * 8)]
RIVERS = [Message("user", "Which rivers reach the sea there, and which lakes do? " * 8)]
ENDLESS = [Message("user", "Write a very long story about a lighthouse.")]


@asynccontextmanager
async def bench(llama: str) -> AsyncIterator[Bench]:
    async with open_llama(llama)() as opened:
        yield opened


def begin(bench: Bench, work: Work, slot: int, *, reuse: bool) -> tuple[Listener, Call]:
    target = msgspec.structs.replace(bench.target, slot=slot, reuse=reuse)
    listener = Listener()
    return listener, bench.engine.call(target, work, listener)


async def ask(bench: Bench, messages: list[Message], slot: int, *, reuse: bool, n: int = 1) -> End:
    listener, _ = begin(bench, Work(Chat(messages), n=n, max_tokens=2, seed=1), slot, reuse=reuse)
    return await listener.end()


def test_a_slot_gives_again_only_where_it_is_told_to(llama: str) -> None:
    async def main() -> None:
        async with bench(llama) as it:
            first = await ask(it, HARBOURS, 1, reuse=False)
            assert (first.counts.cached, first.residue) == (0, Residue.PROMPT)
            again = await ask(it, HARBOURS, 1, reuse=True)
            assert again.counts.cached > first.counts.prompt // 2
            assert again.counts.prompt == first.counts.prompt
            assert (await ask(it, HARBOURS, 1, reuse=False)).counts.cached == 0
            await ask(it, RIVERS, 1, reuse=False)
            assert (await ask(it, HARBOURS, 1, reuse=True)).counts.cached < 40, "template only"

    asyncio.run(main())


def test_nothing_passes_from_one_slot_to_another(llama: str) -> None:
    async def main() -> None:
        async with bench(llama) as it:
            for slot in range(4):
                await ask(it, RIVERS, slot, reuse=False)
            await ask(it, HARBOURS, 0, reuse=False)
            cached = [(await ask(it, HARBOURS, slot, reuse=True)).counts.cached for slot in (1, 2)]
            assert max(cached) < 40, "what they share is the template"

    asyncio.run(main())


def test_slots_of_other_choices_are_cleared(llama: str) -> None:
    """Also those of a request that was hung up on."""

    async def main() -> None:
        async with bench(llama) as it:
            for hang_up in (False, True):
                work = Work(Chat(HARBOURS), stream=True, n=4, max_tokens=100 if hang_up else 2)
                listener, call = begin(it, work, 3, reuse=False)
                await listener.some(1)
                if hang_up:
                    call.cancel()
                await listener.end()
                assert (await ask(it, HARBOURS, 3, reuse=True)).counts.cached > 40
                for slot in range(3):
                    assert (await ask(it, HARBOURS, slot, reuse=True)).counts.cached == 0
                    await ask(it, RIVERS, slot, reuse=False)

    asyncio.run(main())


def test_a_refusal_leaves_the_slot_as_it_was_and_says_so(llama: str) -> None:
    async def main() -> None:
        async with bench(llama) as it:
            await ask(it, HARBOURS, 2, reuse=False)
            refused = await ask(it, [Message("user", "too long " * 2000)], 2, reuse=False)
            assert (refused.how, refused.residue) == (Ending.REFUSED, Residue.UNKNOWN)
            assert (await ask(it, HARBOURS, 2, reuse=True)).counts.cached > 40, (
                "it still lies there"
            )

    asyncio.run(main())


def test_a_hang_up_leaves_a_prompt_only_once_it_was_read(llama: str) -> None:
    async def main() -> None:
        async with bench(llama) as it:
            listener, call = begin(it, Work(Chat(ENDLESS), max_tokens=400), 0, reuse=False)
            await listener.some(5)
            call.cancel()
            assert (await listener.end()).residue is Residue.PROMPT
            unread, pause_s = 0, 0.05
            while not unread:  # the first that is given up before it was read, at any speed
                listener, call = begin(it, Work(Chat(HARBOURS), max_tokens=400), 0, reuse=False)
                await asyncio.sleep(pause_s)
                call.cancel()
                pause_s *= 0.7
                end = await listener.end()
                assert (end.residue is Residue.PROMPT) == bool(end.counts.prompt)
                unread += end.residue in {Residue.UNKNOWN, Residue.PENDING}

    asyncio.run(main())


def test_a_call_to_a_busy_slot_waits_for_it_and_can_be_given_up(llama: str) -> None:
    """As after a gateway was killed, whose request is still at work there."""

    async def main() -> None:
        async with bench(llama) as it:
            busy, stop = begin(it, Work(Chat(ENDLESS), max_tokens=400), 1, reuse=False)
            await busy.some(1)
            given_up, give_up = begin(it, Work(Chat(RIVERS), max_tokens=2), 1, reuse=False)
            waiting, _ = begin(it, Work(Chat(HARBOURS), max_tokens=2), 1, reuse=False)
            await asyncio.sleep(0.2)
            give_up.cancel()
            ended = await given_up.end()
            assert ended.residue is not Residue.PROMPT
            stop.cancel()
            await busy.end()
            assert (await waiting.end()).how is Ending.COMPLETE

    asyncio.run(main())
