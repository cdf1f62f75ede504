"""What holds of servers that already exist."""

import asyncio

import pytest

from inland.adapters.egress.door import Door
from inland.adapters.openai.client import OpenAI
from inland.adapters.openai.events import EventStream
from inland.domain.errors import Damaged
from inland.ports.engine import Chat, Ending, Message, Target, Work
from tests.contract.engine.conftest import open_upstream
from tests.contract.engine.test_engine import Listener, begin
from tests.contract.engine.upstream import Upstream, event, send

ASK = [Message("user", "Hi")]


def test_connections_are_kept_and_the_key_goes_along() -> None:
    async def main() -> None:
        upstream = Upstream()
        async with open_upstream(upstream) as bench:
            for stream in (False, True, False):
                listener, _ = begin(bench, Work(Chat(ASK), stream=stream, max_tokens=2))
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
            await begin(bench, Work(Chat(ASK), max_tokens=2))[0].end()
            upstream.drop_next = True
            assert (
                await begin(bench, Work(Chat(ASK), max_tokens=2))[0].end()
            ).how is Ending.COMPLETE
        assert upstream.connections == 2

    asyncio.run(main())


@pytest.mark.parametrize("running", [True, False])
def test_a_cut_stream_is_exact_only_where_the_server_keeps_count(running: bool) -> None:
    async def main() -> None:
        upstream = Upstream(running_usage=running)
        async with open_upstream(upstream) as bench:
            listener, call = begin(bench, Work(Chat(ASK), stream=True, max_tokens=500))
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
            engine = OpenAI(
                Door(lambda host, port, inside: () if inside else ("rule",), why="test")
            )
            listener = Listener()
            engine.call(Target("r", bench.target.address, "x"), Work(Chat(ASK)), listener)
            end = await listener.end()
            assert (end.how, end.connected) == (Ending.REFUSED, False)
            await engine.close()
        assert upstream.connections == 0

    asyncio.run(main())


def test_a_policy_that_closes_the_way_ends_connections_that_stand() -> None:
    """A kept one is used no more, and one in use ends."""

    async def main() -> None:
        may: list[tuple[str, ...]] = [("rule",)]
        upstream = Upstream()
        async with open_upstream(upstream) as bench:
            engine = OpenAI(Door(lambda host, port, inside: may[0], why="test"))
            asked = Target("r", bench.target.address, "x")
            kept, used, after = Listener(), Listener(), Listener()
            engine.call(asked, Work(Chat(ASK), max_tokens=2), kept)
            await kept.end()
            engine.recheck()
            engine.call(asked, Work(Chat(ASK), stream=True, max_tokens=500), used)
            await used.some(2)
            assert upstream.connections == 1, "what is still allowed goes on"
            may[0] = ()
            engine.recheck()
            assert (await used.end()).how is Ending.GONE
            engine.call(asked, Work(Chat(ASK), max_tokens=2), after)
            assert (await after.end()).how is Ending.REFUSED
            assert upstream.connections == 1
            await engine.close()

    asyncio.run(main())


class Liar(Upstream):
    """Says that it generated what cannot be written into a record."""

    tokens = 0

    async def answer(self, body: dict, writer: asyncio.StreamWriter) -> None:
        choice = {"index": 0, "finish_reason": "stop"}
        used = {"prompt_tokens": 1, "completion_tokens": self.tokens}
        if not body.get("stream"):
            message = {"role": "assistant", "content": "x"}
            send(writer, 200, {"choices": [choice | {"message": message}], "usage": used})
            return
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        event(writer, {"choices": [choice | {"delta": {"content": "x"}}], "usage": used})
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("tokens", [-1, 1 << 53])
def test_counts_that_no_record_can_hold_are_nonsense(tokens: int, stream: bool) -> None:
    async def main() -> None:
        upstream = Liar()
        upstream.tokens = tokens
        async with open_upstream(upstream) as bench:
            end = await begin(bench, Work(Chat(ASK), stream=stream))[0].end()
            assert end.how is Ending.GONE
            assert end.counts.completion in {0, 1}

    asyncio.run(main())


def test_a_stream_without_end_is_cut() -> None:
    feed = EventStream(limit_bytes=1000).feed
    for _ in range(100):
        assert feed(b"data: {}\n\n") == [b"{}"]
    with pytest.raises(Damaged):
        feed(b"\n")
