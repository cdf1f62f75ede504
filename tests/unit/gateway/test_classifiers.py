"""Classifiers on the token path: what they are asked, what waits for them, who pays, what fails."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from inland.domain.guards import Act, Guard, Question, Side
from inland.domain.limits import Limits
from inland.domain.plant import Deployment, EngineKind, Feature, Replica, ReplicaState
from inland.domain.snapshot import Snapshot
from inland.ports.engine import Chat, End, Ending, Piece, Sink, Target, Work
from tests.unit.gateway.test_guarding import CARD, in_loop, refused, texts, told
from tests.unit.gateway.world import (
    HERE,
    Caller,
    ScriptedCall,
    ScriptedEngine,
    World,
    caller,
    snapshot,
    world,
)

JUDGE = "judge"
SECRET = "the codeword"
LIMITS = replace(Limits(), drain_s=0.2, classifier_characters=100)


class Engines(ScriptedEngine):
    """Answers questions by `judge`; leaves every other call to the test."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = None
        self.questions: list[ScriptedCall] = []
        self.judge: Callable[[str], str | None] = lambda text: json.dumps({"found": SECRET in text})

    def call(self, target: Target, work: Work, sink: Sink) -> ScriptedCall:
        if target.model != JUDGE:
            return super().call(target, work, sink)
        call = ScriptedCall(target, work, sink)
        self.questions.append(call)
        said = self.judge(text_of(call))
        if said is not None:
            asyncio.get_running_loop().call_soon(self._run, call, (said,))
        return call


def text_of(call: ScriptedCall) -> str:
    """The text that a question is about."""
    assert isinstance(call.work.task, Chat)
    content = call.work.task.messages[-1].content
    assert content is not None
    return str(json.loads(content.rpartition("\n\n")[2]))


def asking(act: Act, *on: Side, fails_open: bool = False, **more: Any) -> Guard:
    asks = Question(JUDGE, "a codeword", fails_open)
    return Guard("words", act, on=on or tuple(Side), asks=asks, **more)


def with_judge(*guards: Guard) -> Snapshot:
    plain = snapshot(2)
    judge = Deployment(JUDGE, EngineKind.LLAMA_CPP, "smollm2", HERE, 4, 1 << 16)
    ready = Replica("r1", JUDGE, ReplicaState.READY, "/judge.sock", HERE, template=tuple(Feature))
    return replace(
        plain,
        deployments={**plain.deployments, JUDGE: judge},
        replicas={**plain.replicas, "r1": ready},
        guards={guard.name: guard for guard in guards},
    )


@asynccontextmanager
async def judged(
    *guards: Guard, limits: Limits = LIMITS
) -> AsyncIterator[tuple[World, Engines, Caller]]:
    """A gateway with these guards and the deployment they ask, and a connection to it."""
    engine = Engines()
    async with world(limits, engines={EngineKind.LLAMA_CPP: engine}) as made, caller(made) as one:
        made.apply(with_judge(*guards))
        yield made, engine, one


async def under_way(made: World, engine: Engines) -> ScriptedCall:
    await made.until(lambda: engine.calls)
    return engine.calls[-1]


@in_loop
async def test_a_request_is_asked_about_before_any_engine_sees_it_and_refused_by_name():
    async with judged(asking(Act.BLOCK)) as (made, engine, one):
        error = await refused(one, told(f"psst, {SECRET}"))
        assert (error["code"], error["param"]) == ("guard_blocked", "messages[0].content")
        assert "`words`" in error["message"]
        assert SECRET not in json.dumps(error)
        assert not engine.calls
        (question,) = engine.questions
        assert isinstance(question.work.task, Chat)
        assert "a codeword" in (question.work.task.messages[0].content or "")
        assert question.work.task.json, "held to its form"
        assert not isinstance(question.work.task.json, bool)
        await made.until(lambda: made.journal.records("refusal"))
        assert made.journal.records("refusal")[0]["rules"] == ["words"]


@pytest.mark.parametrize("where", ["id", "name", "tool_call_id"])
@in_loop
async def test_ids_and_names_of_calls_are_asked_about_too(where: str):
    said = {"id": "call-1", "name": "look"} | ({where: SECRET} if where != "tool_call_id" else {})
    asked = {"name": said["name"], "arguments": "{}"}
    call = {"id": said["id"], "type": "function", "function": asked}
    answers = SECRET if where == "tool_call_id" else said["id"]
    turns = [
        {"role": "user", "content": "look it up"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": answers, "content": "nothing"},
    ]
    async with judged(asking(Act.BLOCK, Side.INPUT)) as (_, engine, one):
        error = await refused(one, json.dumps({"model": "smol", "messages": turns}).encode())
        assert (error["code"], error["param"]) == ("guard_blocked", "tool_calls"), error
        assert not engine.calls


@in_loop
async def test_a_question_is_a_record_of_whose_text_it_is_about_billed_and_looked_at_by_no_guard():
    everywhere = Guard("cards", Act.BLOCK, ("card",))
    async with judged(asking(Act.BLOCK, Side.INPUT), everywhere) as (made, engine, one):
        one.ask(told("good morning"))
        call = await under_way(made, engine)
        call.say("hello")
        call.finish()
        assert (await one.reply()).status == 200
        asked, said = made.journal.records()
        assert (asked["route"], asked["deployment"]) == ("guard", JUDGE)
        assert (said["route"], said["deployment"]) == ("chat.completions", "smol")
        assert asked["tenant"] == said["tenant"] == "demo"
        assert asked["key"] == said["key"]
        assert (asked["billed"], asked["counted"]) == (True, "engine")
        assert asked["completion_tokens"] == 2, "the engine's own count"
        assert "guard" not in asked
        assert said["guard"] == []


@in_loop
async def test_its_own_deployment_asks_nothing_about_what_it_is_sent():
    async with judged(asking(Act.BLOCK)) as (_, engine, one):
        engine.judge = lambda _: "fine"
        body = json.loads(told(f'"{SECRET}"'))
        one.ask(json.dumps({**body, "model": JUDGE}).encode())
        assert (await one.reply()).status == 200
        assert len(engine.questions) == 1, "the request alone"
    both = asking(Act.BLOCK, finds=("card",))
    async with judged(both) as (_, engine, one):
        body = json.loads(told(f'"{CARD}"'))
        error = await refused(one, json.dumps({**body, "model": JUDGE}).encode())
        assert error["code"] == "guard_blocked", "its patterns hold there"


Cut = Callable[[str], Sequence[str]]
_LONG = "Nothing of note is here. " * 5
_CUTS: list[Cut] = [list, lambda text: [text], lambda text: [text[:90], text[90:130], text[130:]]]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("cut", _CUTS)
@in_loop
async def test_nothing_of_a_batch_in_which_something_is_found_leaves(cut: Cut, stream: bool):
    async with judged(asking(Act.BLOCK, Side.OUTPUT)) as (made, engine, one):
        one.ask(told("go", stream=stream))
        call = await under_way(made, engine)
        for part in cut(f"{_LONG}And {SECRET} is out. {_LONG}"):
            call.say(part)
        if not call.cancelled:
            call.finish()
        reply = await one.reply()
        assert reply.status == 200
        assert SECRET.encode() not in reply.body
        if stream:
            said, _, finish = texts(reply.body)
            assert reply.body.endswith(b"data: [DONE]\n\n")
        else:
            (choice,) = json.loads(reply.body)["choices"]
            said, finish = choice["message"]["content"], choice["finish_reason"]
        assert finish == "content_filter"
        assert _LONG.startswith(said)
        record = made.journal.records()[-1]
        assert (record["outcome"], record["billed"]) == ("complete", True)
        (found,) = record["guard"]
        assert (found["rule"], found["found"], found["on"]) == ("words", "words", "output")


@in_loop
async def test_a_clean_stream_leaves_batch_by_batch_in_its_order():
    async with judged(asking(Act.BLOCK, Side.OUTPUT)) as (made, engine, one):
        engine.judge = lambda _: None
        one.ask(told("go", stream=True))
        call = await under_way(made, engine)
        call.say(*["a"] * 100)
        call.say(*["b"] * 100)
        await made.until(lambda: len(engine.questions) == 3)  # the second batch has two windows
        assert call.paused, "the engine is read a little ahead and no further"
        for question in reversed(engine.questions):
            engine._run(question, ('{"found": false}',))
        await one.head()
        await made.until(lambda: not call.paused)
        call.say("c")
        engine.judge = lambda _: '{"found": false}'
        call.finish()
        assert texts(await one.chunks())[0] == "a" * 100 + "b" * 100 + "c"


@in_loop
async def test_what_lies_over_the_edge_of_two_batches_is_seen_whole():
    async with judged(asking(Act.BLOCK, Side.OUTPUT)) as (made, engine, one):
        one.ask(told("go", stream=True))
        call = await under_way(made, engine)
        call.say(*"x" * 96, *SECRET[:6])
        await made.until(lambda: engine.questions and engine.questions[0].ended)
        call.say(SECRET[6:] + ", you know")
        call.finish()
        said, _, finish = texts((await one.reply()).body)
        assert finish == "content_filter"
        assert set(said) == {"x"}, "not even its beginning"


@pytest.mark.parametrize("silence", ["maybe", '{"found": 3}', ""])
@in_loop
async def test_without_an_answer_it_fails_closed_unless_it_says_otherwise(silence: str):
    for fails_open in (False, True):
        async with judged(asking(Act.BLOCK, fails_open=fails_open)) as (made, engine, one):
            engine.judge = lambda _: silence
            one.ask(told("go"))
            if fails_open:
                call = await under_way(made, engine)
                call.say("well")
                call.finish()
            reply = await one.reply()
            if not fails_open:
                assert reply.status == 503
                assert json.loads(reply.body)["error"]["code"] == "guard_unavailable"
                assert "retry-after" in reply.headers
                assert not engine.calls
            else:
                assert reply.status == 200
                found = made.journal.records()[-1]["guard"]
                told_of = [(each["found"], each["on"]) for each in found]
                assert told_of == [("unanswered", "input"), ("unanswered", "output")]


@pytest.mark.parametrize("stream", [False, True])
@in_loop
async def test_an_answer_that_cannot_be_asked_about_is_no_answer_and_not_billed(stream: bool):
    async with judged(asking(Act.BLOCK, Side.OUTPUT)) as (made, engine, one):
        engine.judge = lambda _: "maybe"
        one.ask(told("go", stream=stream))
        call = await under_way(made, engine)
        call.say(f"well, {SECRET}")
        call.finish()
        reply = await one.reply()
        assert reply.status == 503
        assert SECRET.encode() not in reply.body
        record = made.journal.records()[-1]
        assert (record["outcome"], record["billed"]) == ("failed", False)


@in_loop
async def test_a_classifier_that_is_refused_gone_or_slow_gives_no_answer():
    guard = asking(Act.BLOCK, Side.INPUT)
    async with judged(guard) as (made, engine, one):
        key = next(one.id for one in snapshot().keys.values() if one.tenant == "demo")
        made.decider.denied.add((key, JUDGE))
        made.apply(replace(with_judge(guard), version=3))
        one.ask(told("go"))
        assert (await one.reply()).status == 503
        assert not engine.questions
        made.decider.denied.clear()
        gone = with_judge(guard)
        made.apply(replace(gone, version=4, deployments=snapshot().deployments))
        one.ask(told("go"))
        assert (await one.reply()).status == 503
        made.apply(replace(with_judge(guard), version=5))
        engine.judge = lambda _: None
        one.ask(told("go"))
        await made.until(lambda: engine.questions)
        made.clock.ahead_s += LIMITS.classifier_s + 1
        assert (await one.reply()).status == 503
        assert engine.questions[-1].cancelled


@in_loop
async def test_questions_are_bounded_at_once_and_for_one_request():
    limits = replace(LIMITS, classifier_asks=2, classifier_questions=5)
    async with judged(asking(Act.BLOCK, Side.INPUT), limits=limits) as (made, engine, one):
        engine.judge = lambda _: None
        one.ask(told("x" * 300))
        await made.until(lambda: len(engine.questions) == 2)
        for at in range(4):
            await made.until(lambda: len(engine.questions) > at)  # noqa: B023 - awaited at once
            assert len([each for each in engine.questions if not each.ended]) <= 2
            engine._run(engine.questions[at], ('{"found": false}',))
        call = await under_way(made, engine)
        call.say("well")
        call.finish()
        assert (await one.reply()).status == 200
        assert all(len(text_of(each)) <= 100 for each in engine.questions)
        engine.judge = lambda _: '{"found": false}'
        one.ask(told("x" * 1000))
        assert (await one.reply()).status == 503, "more than may be asked about one request"


@in_loop
async def test_a_note_keeps_nothing_back_and_is_in_the_record():
    async with judged(asking(Act.NOTE)) as (made, engine, one):
        one.ask(told(f"psst, {SECRET}", stream=True))
        call = await under_way(made, engine)
        await made.until(lambda: not call.paused)
        engine.judge = lambda _: None
        call.say(f"oh, {SECRET}")
        await one.head()
        assert SECRET.encode() in await one.chunk()
        call.finish()
        await made.until(lambda: len(engine.questions) == 2)
        engine._run(engine.questions[-1], ('{"found": true}',))
        await one.chunks()
        found = made.journal.records()[-1]["guard"]
        assert [(each["on"], each["act"]) for each in found] == [
            ("input", "note"),
            ("output", "note"),
        ]


@in_loop
async def test_a_server_that_cannot_be_held_to_a_form_is_asked_in_plain_words():
    plain = with_judge(asking(Act.BLOCK, Side.INPUT))
    bare = replace(plain.replicas["r1"], template=())
    async with judged() as (made, engine, one):
        made.apply(replace(plain, version=3, replicas={**plain.replicas, "r1": bare}))
        engine.judge = lambda text: "Yes." if SECRET in text else "no"
        error = await refused(one, told(SECRET))
        assert error["code"] == "guard_blocked"
        (question,) = engine.questions
        assert isinstance(question.work.task, Chat)
        (message,) = question.work.task.messages
        assert (message.role, "a codeword" in (message.content or "")) == ("user", True)


@in_loop
async def test_a_caller_who_leaves_ends_what_was_asked():
    async with judged(asking(Act.BLOCK)) as (made, engine, one):
        engine.judge = lambda _: None
        one.ask(told("go"))
        await made.until(lambda: engine.questions)
        await one.close()
        await made.until(lambda: engine.questions[0].cancelled)
        await made.until(lambda: made.journal.records("refusal"))
        assert made.journal.records("refusal")[0]["status"] == 499
        assert not engine.calls


@in_loop
async def test_an_engine_lost_while_all_is_held_is_not_the_callers_to_notice():
    async with judged(asking(Act.BLOCK, Side.OUTPUT)) as (made, engine, one):
        one.ask(told("go", stream=True))
        call = await under_way(made, engine)
        call.say("half of")
        call.end(End(Ending.GONE, call.counts()))
        await made.until(lambda: len(engine.calls) == 2)
        engine.calls[1].say("well")
        engine.calls[1].finish()
        assert texts((await one.reply()).body)[0] == "well"


@in_loop
async def test_choices_are_apart():
    async with judged(asking(Act.BLOCK, Side.OUTPUT)) as (made, engine, one):
        one.ask(told("go", n=2))
        call = await under_way(made, engine)
        call.say(f"well, {SECRET}" + "." * 100)
        call.say("fine", index=1)
        call.finish()
        first, second = json.loads((await one.reply()).body)["choices"]
        assert (first["message"]["content"], first["finish_reason"]) == ("", "content_filter")
        assert (second["message"]["content"], second["finish_reason"]) == ("fine", "stop")


@in_loop
async def test_patterns_hold_for_a_choice_that_ends_as_another_is_cut():
    cards = Guard("cards", Act.REDACT, ("card",))
    async with judged(asking(Act.BLOCK, Side.OUTPUT), cards) as (made, engine, one):
        one.ask(told("go", n=2))
        call = await under_way(made, engine)
        pay = Piece(1, f"pay {CARD}", "stop", tokens=1)
        call.sink.pieces([Piece(0, f"well, {SECRET}{'.' * 50}", tokens=1), pay])
        call.tokens = [1, 1]
        first, second = json.loads((await one.reply()).body)["choices"]
        assert first["finish_reason"] == "content_filter"
        assert second["message"]["content"] == "pay [redacted card]"
        assert call.cancelled, "nothing more is made of it"


@in_loop
async def test_a_tenant_that_asks_much_does_not_keep_another_waiting():
    limits = replace(LIMITS, classifier_asks=1)
    async with judged(asking(Act.BLOCK, Side.INPUT), limits=limits) as (made, engine, one):
        engine.judge = lambda _: None
        one.ask(told("x" * 2000))
        await made.until(lambda: engine.questions)
        async with caller(made) as other:
            other.ask(told("good morning"), key="acme")
            await made.until(lambda: len(made.gateway._desk.inquiries._waiting) == 2)
            for at in range(3):
                await made.until(lambda: len(engine.questions) > at)  # noqa: B023 - awaited at once
                engine._run(engine.questions[at], ('{"found": false}',))
            assert "good morning" in [text_of(each) for each in engine.questions[:3]]


@in_loop
async def test_patterns_hold_beside_a_classifier():
    cards = Guard("cards", Act.REDACT, ("card",))
    async with judged(asking(Act.BLOCK), cards) as (made, engine, one):
        one.ask(told(f"charge {CARD}", stream=True))
        call = await under_way(made, engine)
        assert text_of(engine.questions[0]) == "charge [redacted card]"
        for sign in f"It is {CARD}.":
            call.say(sign)
        call.finish()
        assert texts((await one.reply()).body)[0] == "It is [redacted card]."


@in_loop
async def test_what_was_decided_while_it_stood_outside_holds():
    async with judged(asking(Act.BLOCK, Side.INPUT)) as (made, engine, one):
        engine.judge = lambda _: None
        one.ask(told("go"))
        await made.until(lambda: engine.questions)
        gone = with_judge(asking(Act.BLOCK, Side.INPUT))
        gone = replace(gone, version=3, deployments={JUDGE: gone.deployments[JUDGE]})
        made.apply(gone)
        engine._run(engine.questions[0], ('{"found": false}',))
        reply = await one.reply()
        assert (reply.status, b"model_not_found" in reply.body) == (404, True)
