"""What every engine's client promises the gateway."""

import asyncio
import math
import struct
from base64 import b64decode
from collections.abc import Sequence

import pytest

from inland.ports.engine import (
    Call,
    Chat,
    Completion,
    Embedding,
    End,
    Ending,
    Message,
    Piece,
    Target,
    Work,
)
from tests.contract.engine.conftest import Bench, Opened
from tests.patience import PATIENCE_S

LONG = [Message("user", "Write a very long story about a lighthouse.")]


class Listener:
    """A sink that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[Piece] = []
        self.over: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    def pieces(self, pieces: Sequence[Piece]) -> None:
        assert not self.over.done(), "nothing follows the end"
        self.heard += pieces

    def ended(self, end: End) -> None:
        self.over.set_result(end)

    async def end(self) -> End:
        async with asyncio.timeout(PATIENCE_S):
            return await self.over

    async def some(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.heard) < count:  # noqa: ASYNC110 - a sink has no event to wait on
                await asyncio.sleep(0.005)


async def settled(bench: Bench) -> int:
    """What the engine says it generated in all, once it is at work no more: it counts a choice a
    moment after it was sent."""
    said = -1
    while bench.at_work() or said != (now := bench.generated()):
        said = now if not bench.at_work() else -1
        await asyncio.sleep(0.2)
    return now


def begin(bench: Bench, work: Work) -> tuple[Listener, Call]:
    listener = Listener()
    return listener, bench.engine.call(bench.target, work, listener)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("n", [1, 3])
def test_counts_are_the_engines_own_over_all_choices(opened: Opened, stream: bool, n: int) -> None:
    async def main() -> None:
        async with opened() as bench:
            before = await settled(bench)
            listener, _ = begin(bench, Work(Chat(LONG), stream=stream, n=n, max_tokens=7, seed=3))
            end = await listener.end()
            assert end.how is Ending.COMPLETE
            assert end.counts.exact
            assert end.counts.completion == await settled(bench) - before
            assert end.counts.prompt > 0
            finished = {p.index for p in listener.heard if p.finish is not None}
            assert finished == set(range(n))
            assert all("".join(p.text for p in listener.heard if p.index == i) for i in range(n))

    asyncio.run(main())


def test_each_prompt_is_gone_on_with_in_order_and_counted(opened: Opened) -> None:
    async def main() -> None:
        async with opened() as bench:
            before = await settled(bench)
            work = Work(Completion(["Water", "Ships carry"]), n=2, max_tokens=5, temperature=0.0)
            listener, _ = begin(bench, work)
            end = await listener.end()
            assert end.how is Ending.COMPLETE
            assert end.counts.completion == await settled(bench) - before == 20
            texts = ["".join(p.text for p in listener.heard if p.index == at) for at in range(4)]
            assert texts[0] == texts[1] != texts[2] == texts[3]
            assert {p.index for p in listener.heard if p.finish == "length"} == {0, 1, 2, 3}

    asyncio.run(main())


@pytest.mark.parametrize("opened", ["llama.cpp", "openai"], indirect=True)  # those that can
def test_each_text_comes_back_as_its_vector(opened: Opened) -> None:
    async def main() -> None:
        async with opened() as bench:
            texts = ["a harbour full of ships", "bread", "a harbour full of ships"]
            listener, _ = begin(bench, Work(Embedding(texts)))
            end = await listener.end()
            assert end.how is Ending.COMPLETE
            assert end.counts.completion == 0
            assert end.counts.prompt > 0
            assert [(p.index, p.finish) for p in listener.heard] == [
                (at, "stop") for at in range(3)
            ]
            one, two, three = (b64decode(p.text, validate=True) for p in listener.heard)
            assert one == three != two
            assert all(map(math.isfinite, struct.unpack(f"<{len(one) // 4}f", one)))

    asyncio.run(main())


def test_stopping_between_prompts_stops_the_rest(opened: Opened) -> None:
    async def main() -> None:
        async with opened() as bench:
            before = await settled(bench)
            work = Work(Completion(["Once"] * 40), stream=True, max_tokens=30)
            listener, call = begin(bench, work)
            call.pause()
            call.resume()
            call.cancel()
            end = await listener.end()
            assert end.how is Ending.STOPPED
            assert await settled(bench) - before < 40 * 30

    asyncio.run(main())


def test_stopping_ends_the_engines_work_and_the_counts_seen_are_right(opened: Opened) -> None:
    async def main() -> None:
        async with opened() as bench:
            before = await settled(bench)
            listener, call = begin(bench, Work(Chat(LONG), stream=True, max_tokens=400))
            await listener.some(10)
            call.cancel()
            end = await listener.end()
            assert end.how is Ending.STOPPED
            generated = await settled(bench) - before
            assert generated < 400, "it went on for nobody"
            assert 0 <= generated - end.counts.completion <= bench.slack

    asyncio.run(main())


def test_stopping_at_once_ends_it_too(opened: Opened) -> None:
    async def main() -> None:
        async with opened() as bench:
            listener, call = begin(bench, Work(Chat(LONG), stream=True, max_tokens=400))
            call.cancel()
            assert (await listener.end()).how is Ending.STOPPED

    asyncio.run(main())


def test_a_prompt_that_does_not_fit_is_refused_with_the_engines_reason(opened: Opened) -> None:
    async def main() -> None:
        async with opened() as bench:
            work = Work(Chat([Message("user", "too long " * 2000)]), stream=True, max_tokens=5)
            listener, _ = begin(bench, work)
            end = await listener.end()
            assert (end.how, end.status) == (Ending.REFUSED, 400)
            assert "context" in end.why
            assert not listener.heard

    asyncio.run(main())


def test_an_engine_that_is_not_there_is_gone(opened: Opened) -> None:
    async def main() -> None:
        async with opened() as bench:
            nowhere = bench.target.address.rstrip("0123456789") + "1"
            if nowhere.startswith("http"):
                nowhere = "http://127.0.0.1:1/v1"
            listener = Listener()
            target = Target("r1", nowhere, "x", salt="s")
            bench.engine.call(target, Work(Chat(LONG)), listener)
            end = await listener.end()
            assert (end.how, end.connected) == (Ending.GONE, False)

    asyncio.run(main())


def test_a_paused_call_delivers_no_more_until_resumed(opened: Opened) -> None:
    async def main() -> None:
        async with opened() as bench:
            listener, call = begin(bench, Work(Chat(LONG), stream=True, max_tokens=60))
            await listener.some(3)
            call.pause()
            await asyncio.sleep(0.05)
            heard = len(listener.heard)
            await asyncio.sleep(0.2)
            assert len(listener.heard) == heard
            call.resume()
            assert (await listener.end()).counts.completion > heard - 1

    asyncio.run(main())


def test_calls_run_side_by_side(opened: Opened) -> None:
    async def main() -> None:
        async with opened() as bench:
            before = await settled(bench)
            works = [
                Work(Chat(LONG), stream=i % 2 == 0, max_tokens=5 + i, seed=i) for i in range(4)
            ]
            listeners = [begin(bench, work)[0] for work in works]
            ends = [await one.end() for one in listeners]
            assert {end.how for end in ends} == {Ending.COMPLETE}
            assert sum(end.counts.completion for end in ends) == await settled(bench) - before

    asyncio.run(main())
