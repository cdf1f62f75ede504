"""The guard on the token path: what is refused, replaced, held back and put on the books."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import wraps
from typing import Any

import pytest

from inland.domain.guards import Act, Guard, Side
from inland.gateway.request import BYTES_PER_TOKEN
from inland.ledger.commitments import RecordKeys
from inland.ports.engine import (
    CallPart,
    Chat,
    Completion,
    Counts,
    Embedding,
    End,
    Ending,
    Piece,
)
from tests.unit.gateway.world import RECORD_KEYS, Caller, World, caller, request, snapshot, world

CARD = "4111 1111 1111 1111"
MASK = "[redacted card]"
_TOLD = re.compile("4111.?1111")
"""Half a card: four digits alone stand in some identifiers and digests too."""


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run it in a loop of its own."""

    @wraps(test)
    def run(*given: Any, **named: Any) -> None:
        asyncio.run(test(*given, **named))

    return run


@asynccontextmanager
async def guarded(*guards: Guard) -> AsyncIterator[tuple[World, Caller]]:
    """A gateway with these guards, and a connection to it."""
    async with world() as made, caller(made) as one:
        made.apply(replace(snapshot(2), guards={guard.name: guard for guard in guards}))
        yield made, one


def cards(act: Act, *on: Side, **more: Any) -> Guard:
    return Guard("cards", act, ("card",), on=on or tuple(Side), **more)


def told(content: str, **more: Any) -> bytes:
    return json.dumps(
        {"model": "smol", "messages": [{"role": "user", "content": content}], **more}
    ).encode()


async def refused(one: Caller, body: bytes) -> dict[str, Any]:
    one.ask(body)
    reply = await one.reply()
    assert reply.status == 400
    error: dict[str, Any] = json.loads(reply.body)["error"]
    return error


def texts(stream: bytes) -> tuple[str, list[str], str | None]:
    """What a stream's events come to: the text, its events' texts, why it ended."""
    said, finish = [], None
    for line in stream.decode().split("\n\n"):
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                said.append(choice["delta"].get("content") or "")
                finish = choice["finish_reason"] or finish
    return "".join(said), said, finish


@in_loop
async def test_a_blocked_request_reaches_no_engine_and_is_on_the_books():
    async with guarded(cards(Act.BLOCK)) as (made, one):
        error = await refused(one, told(f"charge {CARD} now"))
        assert error["code"] == "guard_blocked"
        assert "cards" in error["message"]
        assert error["param"] == "messages[0].content"
        assert not _TOLD.search(json.dumps(error))
        assert not made.engine.calls
        await made.until(lambda: made.journal.records("refusal"))
        (record,) = made.journal.records("refusal")
        assert (record["code"], record["rules"]) == ("guard_blocked", ["cards"])
        assert not _TOLD.search(json.dumps(record))


@in_loop
async def test_a_redacted_request_is_asked_without_it_and_commits_to_what_came():
    async with guarded(cards(Act.REDACT, Side.INPUT)) as (made, one):
        body = told(f"charge {CARD}, and {CARD}")
        one.ask(body)
        assert (await one.reply()).status == 200
        task = made.engine.calls[0].work.task
        assert isinstance(task, Chat)
        assert task.messages[0].content == f"charge {MASK}, and {MASK}"
        (record,) = made.journal.records()
        found = {"rule": "cards", "found": "card", "on": "input", "act": "redact", "count": 2}
        assert record["guard"] == [found]
        commitments = RecordKeys(RECORD_KEYS["demo"]).commitments(record["id"])
        assert record["input"] == commitments.input(body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (b"/v1/completions", {"prompt": ["fine", f"x {CARD}"]}),
        (b"/v1/embeddings", {"input": ["fine", f"x {CARD}"]}),
    ],
)
@in_loop
async def test_prompts_and_texts_for_vectors_are_looked_at(path: bytes, body: dict[str, Any]):
    async with guarded(cards(Act.REDACT, Side.INPUT)) as (made, one):
        made.engine.answer = None
        sent = request(json.dumps({"model": "smol", **body}).encode())
        one.send(sent.replace(b"/v1/chat/completions", path))
        (call,) = await made.calls(1)
        task = call.work.task
        assert isinstance(task, Completion | Embedding)
        seen = task.prompts if isinstance(task, Completion) else task.texts
        assert seen == ["fine", f"x {MASK}"]


_TOOL = {"type": "function", "function": {"name": "pay", "description": f"like {CARD}"}}
_SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "a", "schema": {"const": 4111111111111111}},
}


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"stop": [CARD]}, "stop"),
        ({"tools": [_TOOL]}, "tools[0]"),
        ({"response_format": _SCHEMA}, "response_format"),
    ],
)
@in_loop
async def test_what_cannot_be_replaced_is_refused(more: dict[str, Any], where: str):
    async with guarded(cards(Act.REDACT)) as (made, one):
        error = await refused(one, told("hello", **more))
        assert (error["code"], error["param"]) == ("guard_blocked", where)
        assert not made.engine.calls


@in_loop
async def test_arguments_of_earlier_calls_stay_json():
    call = {"id": "a", "type": "function"}
    function = {"name": "pay", "arguments": json.dumps({"to": f"x\n{CARD}", "n": 4111111111111111})}
    turns = [
        {"role": "user", "content": "pay"},
        {"role": "assistant", "tool_calls": [call | {"function": function}]},
        {"role": "tool", "tool_call_id": "a", "content": f"paid {CARD}"},
    ]
    async with guarded(cards(Act.REDACT)) as (made, one):
        one.ask(json.dumps({"model": "smol", "messages": turns}).encode())
        assert (await one.reply()).status == 200
        task = made.engine.calls[0].work.task
        assert isinstance(task, Chat)
        assert task.messages[1].tool_calls is not None
        arguments = task.messages[1].tool_calls[0].function.arguments
        assert json.loads(arguments) == {"to": f"x\n{MASK}", "n": None}
        assert task.messages[2].content == f"paid {MASK}"


@in_loop
async def test_logprobs_that_would_give_it_away_are_refused_by_name():
    async with guarded(cards(Act.REDACT, Side.OUTPUT)) as (_, one):
        error = await refused(one, told("hello", logprobs=True))
        assert (error["code"], error["param"]) == ("guard_logprobs", "logprobs")
    async with guarded(cards(Act.NOTE, Side.OUTPUT)) as (_, one):
        one.ask(told("hello", logprobs=True))
        assert (await one.reply()).status == 200


Ways = Callable[[str], list[str]]
_CUTS: list[Ways] = [list, lambda text: [text], lambda text: [text[:9], text[9:14], text[14:]]]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("cut", _CUTS)
@in_loop
async def test_a_blocked_answer_ends_before_it_however_it_is_cut(cut: Ways, stream: bool):
    async with guarded(cards(Act.BLOCK, Side.OUTPUT)) as (made, one):
        made.engine.answer = None
        one.ask(told("go", stream=stream))
        (call,) = await made.calls(1)
        for part in cut(f"It is {CARD}. And more"):
            call.say(part)
        reply = await one.reply()
        assert reply.status == 200
        assert not _TOLD.search(reply.body.decode())
        if stream:
            said, _, finish = texts(reply.body)
            assert reply.body.endswith(b"data: [DONE]\n\n")
        else:
            (choice,) = json.loads(reply.body)["choices"]
            said, finish = choice["message"]["content"], choice["finish_reason"]
        assert (said, finish) == ("It is ", "content_filter")
        assert call.cancelled, "nothing more is made of it"
        (record,) = made.journal.records()
        assert (record["outcome"], record["billed"], record["status"]) == ("complete", True, 200)
        assert record["completion_tokens"] == sum(call.tokens), "the engine's own count"
        (found,) = record["guard"]
        assert (found["rule"], found["act"], found["count"]) == ("cards", "block", 1)
        commitments = RecordKeys(RECORD_KEYS["demo"]).commitments(record["id"])
        assert record["output"] == [commitments.output(0, "It is ")]


@in_loop
async def test_a_stream_under_way_goes_on_under_the_guards_it_came_under():
    async with guarded(cards(Act.REDACT, Side.OUTPUT)) as (made, one), caller(made) as other:
        made.engine.answer = None
        one.ask(told("go", stream=True))
        (first,) = await made.calls(1)
        first.say("Well, ")
        made.apply(snapshot(3))
        other.ask(told("go", stream=True))
        _, second = await made.calls(2)
        second.say("Well, ")
        made.apply(replace(snapshot(4), guards={"cards": cards(Act.BLOCK)}))
        for call in (first, second):
            call.say(f"{CARD}.")
            call.finish()
        assert texts((await one.reply()).body)[0] == f"Well, {MASK}."
        assert texts((await other.reply()).body)[0] == f"Well, {CARD}."
        assert (await refused(one, told(CARD)))["code"] == "guard_blocked"


@pytest.mark.parametrize("act", [Act.BLOCK, Act.REDACT])
@in_loop
async def test_a_secret_cut_in_two_or_three_anywhere_is_caught_in_a_stream(act: Act):
    secret = "sk-a1b2c3d4"
    guard = Guard("keys", act, patterns=(r"sk-[a-z0-9]{8}",), on=(Side.OUTPUT,))
    text, places = f"is {secret}. ok", range(3, 3 + len(secret) + 1)
    whole = "is " if act is Act.BLOCK else "is [redacted keys]. ok"
    async with guarded(guard) as (made, one):
        made.engine.answer = None
        for count, (first, second) in enumerate(
            (first, second) for first in places for second in places if first <= second
        ):
            one.ask(told("go", stream=True))
            (await made.calls(count + 1))[-1].say(text[:first], text[first:second], text[second:])
            if not made.engine.calls[-1].cancelled:
                made.engine.calls[-1].finish()
            body = (await one.reply()).body
            assert texts(body)[0] == whole, (first, second)
            assert secret[:4].encode() not in body


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("cut", _CUTS)
@in_loop
async def test_a_redacted_answer_is_the_same_however_it_is_cut(cut: Ways, stream: bool):
    async with guarded(cards(Act.REDACT, Side.OUTPUT)) as (made, one):
        made.engine.answer = None
        one.ask(told("go", stream=stream))
        (call,) = await made.calls(1)
        for part in cut(f"It is {CARD}. And {CARD}"):
            call.say(part)
        call.finish()
        reply = await one.reply()
        whole = f"It is {MASK}. And {MASK}"
        said = (
            texts(reply.body)[0]
            if stream
            else json.loads(reply.body)["choices"][0]["message"]["content"]
        )
        assert said == whole
        (record,) = made.journal.records()
        assert record["guard"][0]["count"] == 2
        commitments = RecordKeys(RECORD_KEYS["demo"]).commitments(record["id"])
        assert record["output"] == [commitments.output(0, whole)], "what was delivered"


@in_loop
async def test_what_can_be_no_match_leaves_at_once_and_what_may_be_one_waits():
    async with guarded(cards(Act.REDACT, Side.OUTPUT)) as (made, one):
        made.engine.answer = None
        one.ask(told("go", stream=True))
        (call,) = await made.calls(1)
        await made.until(lambda: not call.paused)
        call.say("Hello")
        await one.head()
        assert b'"Hello"' in await one.chunk()
        call.say(" 41")
        assert b'" "' in await one.chunk()
        call.say("11 x")
        assert b'"4111 x"' in await one.chunk()
        call.finish()
        assert b"[DONE]" in await one.chunks()


@in_loop
async def test_a_note_keeps_nothing_back_and_counts():
    async with guarded(cards(Act.NOTE)) as (made, one):
        made.engine.answer = tuple(f"see {CARD} here")
        one.ask(told(f"a {CARD}", stream=True))
        reply = await one.reply()
        said, events, _ = texts(reply.body)
        assert said == f"see {CARD} here"
        assert len(events) > len(said), "each as it came"
        (record,) = made.journal.records()
        assert [(one["on"], one["act"], one["count"]) for one in record["guard"]] == [
            ("input", "note", 1),
            ("output", "note", 1),
        ]
        assert made.journal.openings()[0]["guard"][0]["on"] == "input"


@pytest.mark.parametrize("stream", [False, True])
@in_loop
async def test_choices_are_apart(stream: bool):
    async with guarded(cards(Act.BLOCK, Side.OUTPUT)) as (made, one):
        made.engine.answer = None
        one.ask(told("go", n=2, stream=stream))
        (call,) = await made.calls(1)
        call.say("4111 1111")
        call.say(" 1111 1111", index=1)
        call.say(" 1111 1111. x")
        assert not call.cancelled, "the other one goes on"
        call.say(" ok", index=1)
        call.finish()
        body = (await one.reply()).body
        if not stream:
            first, second = json.loads(body)["choices"]
            assert (first["message"]["content"], first["finish_reason"]) == ("", "content_filter")
            assert (second["message"]["content"], second["finish_reason"]) == (
                " 1111 1111 ok",
                "stop",
            )
        assert not _TOLD.search(body.decode())
        (record,) = made.journal.records()
        assert record["completion_tokens"] == sum(call.tokens)


@pytest.mark.parametrize("stream", [False, True])
@in_loop
async def test_arguments_of_calls_are_looked_at(stream: bool):
    tool = {"type": "function", "function": {"name": "pay"}}
    async with guarded(cards(Act.REDACT, Side.OUTPUT)) as (made, one):
        made.engine.answer = None
        one.ask(told("go", tools=[tool], stream=stream))
        (call,) = await made.calls(1)
        call.sink.pieces([Piece(0, "", calls=[CallPart(0, "a", "pay", "")])])
        for sign in json.dumps({"to": f"x\n{CARD}", "n": 4111111111111111}):
            call.sink.pieces([Piece(0, "", calls=[CallPart(0, arguments=sign)])])
        call.sink.pieces([Piece(0, "", "tool_calls")])
        call.end(End(Ending.COMPLETE, call.counts()))
        body = (await one.reply()).body
        assert not _TOLD.search(body.decode())
        if not stream:
            (made_call,) = json.loads(body)["choices"][0]["message"]["tool_calls"]
            assert (made_call["id"], made_call["function"]["name"]) == ("a", "pay")
            arguments = made_call["function"]["arguments"]
            assert json.loads(arguments) == {"to": f"x\n{MASK}", "n": None}


@in_loop
async def test_an_answer_that_is_json_stays_json():
    async with guarded(cards(Act.REDACT, Side.OUTPUT)) as (made, one):
        said = {"to": f"x\n{CARD}", "n": 4111111111111111}
        made.engine.answer = tuple(json.dumps(said))
        one.ask(told("go", response_format={"type": "json_object"}))
        body = json.loads((await one.reply()).body)
        content = body["choices"][0]["message"]["content"]
        assert json.loads(content) == {"to": f"x\n{MASK}", "n": None}


@in_loop
async def test_it_holds_for_whom_it_names_and_nobody_else():
    async with guarded(cards(Act.BLOCK, tenant="acme")) as (made, one):
        one.ask(told(f"a {CARD}"))
        assert (await one.reply()).status == 200
        assert "guard" not in made.journal.records()[0]
        one.ask(told(f"a {CARD}"), key="acme")
        assert (await one.reply()).status == 400
    async with guarded(cards(Act.BLOCK, deployment="other")) as (_, one):
        one.ask(told(f"a {CARD}"))
        assert (await one.reply()).status == 200


@in_loop
async def test_a_caller_who_leaves_is_billed_for_what_left_alone():
    async with guarded(cards(Act.REDACT, Side.OUTPUT)) as (made, one):
        made.engine.answer = None
        one.ask(told("go", stream=True))
        (call,) = await made.calls(1)
        await made.until(lambda: not call.paused)
        call.say("Hello", " 4111", " 1111")
        await one.head()
        await one.chunk()
        await one.close()
        await made.until(made.journal.records)
        (record,) = made.journal.records()
        assert (record["outcome"], record["completion_tokens"]) == ("hung-up", 1)


@in_loop
async def test_an_engine_that_lies_after_a_cut_is_told_of():
    async with guarded(cards(Act.BLOCK, Side.OUTPUT)) as (made, one):
        made.engine.answer = None
        one.ask(told("go", stream=True))
        (call,) = await made.calls(1)
        await made.until(lambda: not call.paused)
        call.prompt = 1 << 40
        call.say("well ", f"{CARD}. x")
        body = await one.rest()
        assert b"cannot be believed" in body
        assert b"[DONE]" not in body
        (record,) = made.journal.records()
        assert (record["outcome"], record["billed"]) == ("failed", False)


@in_loop
async def test_a_stream_of_which_all_is_held_has_not_begun_and_may_be_made_anew():
    async with guarded(cards(Act.REDACT, Side.OUTPUT)) as (made, one):
        made.engine.answer = None
        one.ask(told("go", stream=True))
        (call,) = await made.calls(1)
        await made.until(lambda: not call.paused)
        call.say("4111 ", "1111 ")
        call.end(End(Ending.GONE, call.counts()))
        *_, anew = await made.calls(2)
        anew.say("well")
        anew.finish()
        reply = await one.reply()
        assert (reply.status, texts(reply.body)[0]) == (200, "well")


@pytest.mark.parametrize("stream", [False, True])
@in_loop
async def test_a_prompt_that_its_engine_had_not_counted_when_it_was_cut_is_billed_by_estimate(
    stream: bool,
):
    async with guarded(cards(Act.BLOCK, Side.OUTPUT)) as (made, one):
        made.engine.answer = None
        body = told("go " * 400, stream=stream, stream_options={"include_usage": True})
        if not stream:
            body = told("go " * 400)
        one.ask(body)
        (call,) = await made.calls(1)
        call.counts = lambda: Counts(0, 3, exact=False)  # type: ignore[method-assign]
        call.sink.pieces([Piece(0, "It is "), Piece(0, CARD), Piece(0, ". x")])
        reply = await one.reply()
        (record,) = made.journal.records()
        assert (record["billed"], record["counted"]) == (True, "estimated")
        assert record["prompt_tokens"] == len(body) // BYTES_PER_TOKEN
        assert b'"prompt_tokens":%d' % record["prompt_tokens"] in reply.body
