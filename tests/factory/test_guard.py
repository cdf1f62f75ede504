"""A guard on a real factory: set by command, in force when that returns, in the records."""

import json
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from inland.decide.guard.questions import ANSWER_TOKENS
from tests.factory.running import MODEL, Running, verify_outside

CARD = "4111 1111 1111 1111"
ASK = [{"role": "user", "content": "Name the four seasons of the year in one sentence."}]
BILLED = {"model": MODEL, "messages": ASK, "temperature": 0, "max_tokens": 24}


@pytest.fixture
def guards(factory: Running) -> Iterator[Running]:
    """The factory; its guards are removed afterwards."""
    yield factory
    for one in factory.json("guard", "list"):
        factory.run("guard", "remove", one["name"])


def test_what_a_tenant_sends_is_refused_from_the_command_on(guards: Running) -> None:
    client = guards.client("demo")
    ask = [{"role": "user", "content": f"Charge {CARD}."}]
    client.chat.completions.create(model=MODEL, messages=ask, max_tokens=1)
    guards.run("guard", "set", "cards", "--act", "block", "--find", "card", "--tenant", "demo")
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MODEL, messages=ask, max_tokens=1)
    assert refused.value.code == "guard_blocked"
    assert "`cards`" in refused.value.message
    assert CARD[:9] not in refused.value.message
    guards.client("acme").chat.completions.create(model=MODEL, messages=ask, max_tokens=1)
    guards.run("guard", "remove", "cards")
    client.chat.completions.create(model=MODEL, messages=ask, max_tokens=1)


def test_what_it_says_is_replaced_and_cut_the_same_streamed_or_not(
    guards: Running, tmp_path: Path
) -> None:
    client = guards.client("demo")
    plain = client.chat.completions.create(**BILLED).choices[0].message.content
    assert plain is not None
    word = max(plain.split(), key=len).strip(".,:")  # no short one, which signatures have by chance
    before = plain[: plain.index(word)]

    def streamed() -> tuple[str, str | None, str]:
        said, finish, ref = "", None, ""
        for event in client.chat.completions.create(**BILLED, stream=True):
            ref = event.id
            for choice in event.choices:
                said += choice.delta.content or ""
                finish = choice.finish_reason or finish
        return said, finish, ref

    guards.run("guard", "set", "words", "--act", "redact", "--pattern", word, "--on", "output")
    masked = plain.replace(word, "[redacted words]")
    whole = client.chat.completions.create(**BILLED)
    assert whole.choices[0].message.content == masked
    assert streamed()[0] == masked
    guards.run("guard", "set", "words", "--act", "block", "--pattern", word, "--on", "output")
    cut = client.chat.completions.create(**BILLED).choices[0]
    assert (cut.message.content, cut.finish_reason) == (before, "content_filter")
    said, finish, ref = streamed()
    assert (said, finish) == (before, "content_filter")
    receipt = guards.receipt(ref, tmp_path / "receipt.json")
    record = json.loads(receipt.read_text())["chain"][0]["record"]
    (found,) = record["guard"]
    assert (found["rule"], found["on"], found["act"], found["count"]) == (
        *("words", "output", "block"),
        1,
    )
    assert word not in receipt.read_text()
    assert record["billed"]
    assert record["completion_tokens"] >= 1
    assert verify_outside(receipt, guards.vkey(tmp_path)).returncode == 0


def test_what_cannot_be_looked_for_is_refused_in_one_line(guards: Running) -> None:
    for words, why in (
        (("--find", "nobody"), "no recogniser"),
        (("--pattern", "(a"), "missing"),
        ((), "say what to find"),
        (("--find", "card", "--tenant", "nobody"), "no such tenant"),
    ):
        done = guards.run("guard", "set", "x", "--act", "note", *words, check=False)
        assert done.returncode != 0
        assert why in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert guards.json("guard", "list") == []


def test_a_classifier_behind_the_same_gateway_is_asked_recorded_and_billed(
    guards: Running, tmp_path: Path
) -> None:
    """The embedded model is a poor classifier: what it says is taken as it is, found or not."""
    (model,) = [one["model"] for one in guards.json("deploy", "list") if one["name"] == MODEL]
    guards.run("deploy", "add", "judge", "--model", model, "--slots", "2")
    try:
        guards.client("demo").chat.completions.create(model="judge", messages=ASK, max_tokens=1)
        _asked_about(guards, tmp_path)
    finally:
        guards.run("guard", "remove", "advice", check=False)
        guards.run("deploy", "remove", "judge")


def _asked_about(guards: Running, folder: Path) -> None:
    asking = ("advice", "--act", "note", "--classifier", "judge", "--category", "medical advice")
    guards.run("guard", "set", *asking)
    client = guards.client("demo")
    whole = client.chat.completions.create(**BILLED)
    said, ref = "", ""
    for event in client.chat.completions.create(**BILLED, stream=True):
        ref = event.id
        said += "".join(choice.delta.content or "" for choice in event.choices)
    assert said == whole.choices[0].message.content, "what is only noted is as it was"
    receipt = guards.receipt(ref, folder / "receipt.json")
    assert verify_outside(receipt, guards.vkey(folder)).returncode == 0
    records = guards.records("demo", folder)
    questions = [one for one in records if one.get("route") == "guard"]
    assert len(questions) >= 4, "two requests, two answers"
    for one in questions:
        assert (one["deployment"], one["outcome"], one["counted"]) == (
            "judge",
            "complete",
            "engine",
        )
        assert one["billed"]
        assert 0 < one["completion_tokens"] <= ANSWER_TOKENS
    found = [one for record in records for one in record.get("guard", ())]
    assert not [one for one in found if one["found"] == "unanswered"], (
        "its form holds it to yes or no"
    )

    guards.run("guard", "set", *(*asking[:2], "block", *asking[3:]), "--on", "output")
    answer = client.chat.completions.create(**BILLED).choices[0]
    if answer.finish_reason == "content_filter":
        assert not answer.message.content, "nothing of what was found"
    else:
        assert answer.message.content == said
