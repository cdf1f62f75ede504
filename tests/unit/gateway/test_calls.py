"""Tool calls on their way to a caller: whole or in parts, one text on the books."""

import asyncio
import json

import openai
import pytest
from openai import AsyncOpenAI

from inland.domain.errors import Damaged
from inland.gateway.counts import CALLS, Ceiling
from inland.ledger.commitments import commit_output, record_key
from inland.ports.engine import (
    CallPart,
    Chat,
    Counts,
    End,
    Ending,
    Piece,
    TokenLogprob,
    TopLogprob,
    Work,
)
from tests.unit.gateway.world import ASK, KEYS, RECORD_KEYS, World, caller, snapshot, world

TOOL = {"type": "function", "function": {"name": "look_up"}}
PARTS = [
    Piece(0, "", calls=[CallPart(0, "c0", "look_up", "")], tokens=1),
    Piece(0, "", calls=[CallPart(0, arguments='{"of": ')], tokens=2),
    Piece(0, "", calls=[CallPart(0, arguments='"ä"}'), CallPart(1, "c1", "look_up", "{}")]),
    Piece(0, "", "tool_calls"),
]


def client(to: World) -> AsyncOpenAI:
    return AsyncOpenAI(
        base_url=f"http://127.0.0.1:{to.port}/v1", api_key=KEYS["demo"].text, max_retries=0
    )


async def asked(w: World, ask: AsyncOpenAI, parts: list[Piece], *, stream: bool) -> object:
    """What the client assembles of `parts`."""
    w.engine.answer = None

    async def engine() -> None:
        await w.until(lambda: bool(w.engine.calls))
        call = w.engine.calls[-1]
        for part in parts:
            call.sink.pieces([part])
        call.end(End(Ending.COMPLETE, Counts(7, 4)))

    speaking = asyncio.create_task(engine())
    body = {"model": "smol", "messages": [{"role": "user", "content": "?"}], "tools": [TOOL]}
    try:
        if not stream:
            return await ask.chat.completions.create(**body)
        async with ask.chat.completions.stream(**body) as events:
            return await events.get_final_completion()
    finally:
        await speaking


@pytest.mark.parametrize("stream", [False, True])
def test_calls_reach_the_client_and_the_record_commits_to_them(stream: bool) -> None:
    async def main() -> None:
        async with world() as w, client(w) as ask:
            done = await asked(w, ask, PARTS, stream=stream)
            (choice,) = done.choices  # type: ignore[attr-defined]
            assert choice.finish_reason == "tool_calls"
            assert choice.message.content is None
            calls = [
                (c.id, c.function.name, c.function.arguments) for c in choice.message.tool_calls
            ]
            assert calls == [("c0", "look_up", '{"of": "ä"}'), ("c1", "look_up", "{}")]
            (record,) = w.journal.records()
            written = [
                {"function": {"arguments": arguments, "name": name}, "id": id_, "type": "function"}
                for id_, name, arguments in calls
            ]
            text = json.dumps(
                {"content": None, "tool_calls": written}, separators=(",", ":"), ensure_ascii=False
            )
            key = record_key(RECORD_KEYS["demo"], record["id"])
            assert record["output"] == [commit_output(key, 0, text)]

    asyncio.run(main())


def test_a_name_that_the_engine_repeats_is_told_once() -> None:
    async def main() -> None:
        async with world() as w, client(w) as ask:
            parts = [
                Piece(0, "", calls=[CallPart(0, "c0", "look_up", '{"of"')]),
                Piece(0, "", calls=[CallPart(0, "c0", "look_up", ": 1}")]),
                Piece(0, "", "tool_calls"),
            ]
            done = await asked(w, ask, parts, stream=True)
            (call,) = done.choices[0].message.tool_calls  # type: ignore[attr-defined]
            assert (call.id, call.function.name) == ("c0", "look_up")
            assert call.function.arguments == '{"of": 1}'

    asyncio.run(main())


@pytest.mark.parametrize("index", [1, -1, CALLS])
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_out_of_order_is_the_engines_fault_and_unbilled(stream: bool, index: int) -> None:
    async def main() -> None:
        async with world() as w, client(w) as ask:
            wrong = [Piece(0, "", calls=[CallPart(index, "c", "look_up", "{}")], tokens=1)]
            with pytest.raises(openai.APIError):
                await asked(w, ask, wrong, stream=stream)
            await w.until(lambda: bool(w.journal.records()))
            (record,) = w.journal.records()
            assert (record["outcome"], record["billed"]) == ("failed", False)

    asyncio.run(main())


def test_what_came_with_a_call_out_of_order_was_never_given_and_is_not_on_the_books() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.engine.answer = None
            c.ask(json.dumps({"model": "smol", "messages": ASK, "stream": True}).encode())
            (call,) = await w.calls(1)
            call.say("Given")
            await c.head()
            assert b"Given" in await c.chunk()
            wrong = Piece(0, "", calls=[CallPart(7, "c", "look_up", "{}")], tokens=3)
            call.sink.pieces([Piece(0, "withheld", tokens=2), wrong])
            assert b"cannot be believed" in await c.chunk()
            await w.until(lambda: bool(w.journal.records()))
            (record,) = w.journal.records()
            key = record_key(RECORD_KEYS["demo"], record["id"])
            assert record["output"] == [commit_output(key, 0, "Given")]

    asyncio.run(main())


def test_a_choice_has_no_more_calls_than_the_bound() -> None:
    deployment = snapshot().deployments["smol"]
    ceiling = Ceiling(Work(Chat([]), max_tokens=2 * CALLS), deployment, 0)
    for at in range(CALLS):
        ceiling.take([Piece(0, "", calls=[CallPart(at, "c", "f", "")])])
    with pytest.raises(Damaged):
        ceiling.take([Piece(0, "", calls=[CallPart(CALLS, "c", "f", "")])])


@pytest.mark.parametrize(("asked_for", "given"), [({}, 0), ({"top_logprobs": 1}, 1)])
@pytest.mark.parametrize("stream", [False, True])
def test_no_more_alternatives_are_given_than_were_asked_for(
    stream: bool, asked_for: dict[str, int], given: int
) -> None:
    token = TokenLogprob("Yes", -0.1, top_logprobs=[TopLogprob("No", -1), TopLogprob("So", -2)])

    async def main() -> None:
        async with world() as w, caller(w) as c:
            w.engine.answer = None
            body = {"model": "smol", "messages": ASK, "logprobs": True, "stream": stream}
            c.ask(json.dumps(body | asked_for).encode())
            (call,) = await w.calls(1)
            call.sink.pieces([Piece(0, "Yes", logprobs=[token], tokens=1), Piece(0, "", "stop")])
            call.end(End(Ending.COMPLETE, Counts(7, 1)))
            got = (await c.reply()).body.decode()
            assert '"logprob":-0.1' in got
            assert [word in got for word in ('"No"', '"So"')] == [given > 0, given > 1]

    asyncio.run(main())
