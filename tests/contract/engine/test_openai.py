"""What holds of servers that already exist."""

import asyncio

import pytest

from inland.adapters.egress.door import Door
from inland.adapters.openai.client import OpenAI
from inland.ports.engine import Ending, Message, Target, Work
from tests.contract.engine.conftest import open_upstream
from tests.contract.engine.test_engine import Listener, begin
from tests.contract.engine.upstream import Upstream

ASK = [Message("user", "Hi")]


def test_connections_are_kept_and_the_key_goes_along() -> None:
    async def main() -> None:
        upstream = Upstream()
        async with open_upstream(upstream) as bench:
            for stream in (False, True, False):
                listener, _ = begin(bench, Work(ASK, stream=stream, max_tokens=2))
                await listener.end()
        assert upstream.connections == 1
        assert all(b"authorization: Bearer secret" in head for head in upstream.heads)
        assert [one["model"] for one in upstream.asked] == ["up"] * 3
        assert [one.get("stream", False) for one in upstream.asked] == [False, True, False]

    asyncio.run(main())


def test_a_kept_connection_that_was_closed_meanwhile_is_tried_afresh() -> None:
    async def main() -> None:
        upstream = Upstream()
        async with open_upstream(upstream) as bench:
            await begin(bench, Work(ASK, max_tokens=2))[0].end()
            upstream.drop_next = True
            assert (await begin(bench, Work(ASK, max_tokens=2))[0].end()).how is Ending.COMPLETE
        assert upstream.connections == 2

    asyncio.run(main())


@pytest.mark.parametrize("running", [True, False])
def test_a_cut_stream_is_exact_only_where_the_server_keeps_count(running: bool) -> None:
    async def main() -> None:
        upstream = Upstream(running_usage=running)
        async with open_upstream(upstream) as bench:
            listener, call = begin(bench, Work(ASK, stream=True, max_tokens=500))
            await listener.some(5)
            call.cancel()
            end = await listener.end()
            assert end.counts.exact is running
            assert end.counts.completion == len(listener.heard)

    asyncio.run(main())


def test_what_the_door_refuses_never_leaves() -> None:
    async def main() -> None:
        upstream = Upstream()
        async with open_upstream(upstream) as bench:
            engine = OpenAI(Door(lambda host, port, inside: not inside).open)
            listener = Listener()
            engine.call(Target("r", bench.target.address, "x"), Work(ASK), listener)
            end = await listener.end()
            assert (end.how, end.connected) == (Ending.REFUSED, False)
            await engine.close()
        assert upstream.connections == 0

    asyncio.run(main())
