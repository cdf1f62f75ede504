"""Two gateways, a control and its feed, over real sockets: shares follow what there is to do."""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from inland.adapters.feed.client import FeedClient, Hello
from inland.adapters.feed.server import FeedServer
from inland.adapters.files.clock import SystemClock
from inland.decide.shares import Shares
from inland.decide.slots import Share
from inland.domain.shares import Portion
from inland.domain.snapshot import Secrets
from tests.unit.gateway.world import RECORD_KEYS, caller, snapshot, world

SLOTS = 6


@asynccontextmanager
async def two(tmp_path):
    """Both worlds and the server, once both gateways have been told of a share."""
    feed = FeedServer(tmp_path / "feed.sock", SystemClock(), frozenset, Shares())
    feed.start()
    async with AsyncExitStack() as stack:
        stack.callback(feed.close)
        worlds, tasks = [], []
        for n in range(2):
            w = await stack.enter_async_context(world(share=Share(2)))
            w.engine.answer = None
            hello = Hello(f"gateway-{n}", 7 + n, f"w{n}")
            on = w.gateway.apply
            client = FeedClient(
                tmp_path / "feed.sock", hello, on, dict, SystemClock(), w.gateway.sharing
            )
            tasks.append(asyncio.create_task(client.run()))
            worlds.append(w)
        feed.publish(snapshot(2, SLOTS), Secrets(RECORD_KEYS, {}))
        try:
            await worlds[0].until(lambda: all(w.gateway.version == 2 for w in worlds))
            for w in worlds:
                await w.until(lambda: feed._dealing and feed._dealing.must_look)
            feed.look()
            await worlds[0].until(lambda: sum(len(held(w)) for w in worlds) == SLOTS)
            yield worlds, tasks
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


def held(w):
    return w.gateway._desk.lanes["smol"]._holding.ids


def body():
    messages = [{"role": "user", "content": "Hello?"}]
    return json.dumps({"model": "smol", "messages": messages}).encode()


async def flood(w, stack, count, key="demo"):
    for _ in range(count):
        (await stack.enter_async_context(caller(w))).ask(body(), key)


def test_shares_follow_what_there_is_to_do(tmp_path):
    async def main():
        async with two(tmp_path) as ((one, other), _), AsyncExitStack() as stack:
            await flood(one, stack, 10)
            await one.calls(SLOTS)
            assert held(one) == tuple(range(SLOTS))
            assert held(other) == ()
            await flood(other, stack, 10, "acme")
            await other.until(lambda: len(held(one)) == SLOTS // 2)
            assert not other.engine.calls, "what works is not interrupted"
            for call in one.engine.calls[:SLOTS]:
                call.finish()
            await other.calls(SLOTS // 2)
            assert set(held(one)) | set(held(other)) == set(range(SLOTS))
            assert not set(held(one)) & set(held(other))

    asyncio.run(main())


def test_a_gateway_that_loses_control_keeps_its_share(tmp_path):
    async def main():
        async with two(tmp_path) as ((one, other), (_, task)), AsyncExitStack() as stack:
            await flood(other, stack, 10)
            await other.calls(SLOTS)
            task.cancel()
            await asyncio.sleep(0.05)
            await flood(one, stack, 10, "acme")
            for call in other.engine.calls[:SLOTS]:
                call.finish()
            await other.calls(10)
            assert held(other) == tuple(range(SLOTS))
            assert not one.engine.calls

    asyncio.run(main())


def test_a_portion_that_changes_nothing_is_heard(tmp_path):
    """Else control would wait for ever for what a gateway was given and had taken from it at once,
    before it had said anything."""

    async def main():
        async with two(tmp_path) as ((one, _), _):
            lane = one.gateway._desk.lanes["smol"]
            await one.until(lambda: lane.demand(100) is None)
            for ids, keep in (((0, 1, 2), 3), ((0, 1, 2), 0)):
                lane.take(Portion(ids, keep, keep), 100)
            assert lane.demand(101) is not None
            assert lane.demand(102) is None
            lane.take(Portion((0, 1, 2), 0, 0), 101)
            assert lane.demand(102) is not None

    asyncio.run(main())
