"""A guard on a real factory: set by command, in force when that returns, in the records."""

import json
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

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
    assert "4111" not in refused.value.message
    guards.client("acme").chat.completions.create(model=MODEL, messages=ask, max_tokens=1)
    guards.run("guard", "remove", "cards")
    client.chat.completions.create(model=MODEL, messages=ask, max_tokens=1)


def test_what_it_says_is_replaced_and_cut_the_same_streamed_or_not(
    guards: Running, tmp_path: Path
) -> None:
    client = guards.client("demo")
    plain = client.chat.completions.create(**BILLED).choices[0].message.content
    assert plain is not None
    word = plain.split()[4].strip(".,:")
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
