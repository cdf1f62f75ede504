"""The proof that a run was refused: whatever of it is another than the log's, the single file
refuses."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.ledger import example
from tests.unit.ledger.refusing import WHY, RefusedStory, at_check, untrained
from tests.unit.ledger.releasing import ADAPTER, BASE, DIGESTS, POINT, REFS, RUN, TRAIN, Story
from tests.unit.ledger.test_release_proofs import booked, lost, refused, shown, step
from tests.unit.ledger.verifiers import FILE

ASKED, OTHER = REFS["evaluate"][0], "99" * 32


@pytest.fixture
def story(tmp_path: Path) -> RefusedStory:
    return RefusedStory(tmp_path)


def said(**other):
    def alter(story: RefusedStory) -> None:
        story.tell(**other)

    return alter


def evidence(**other):
    def alter(story: RefusedStory) -> None:
        story.tell(evidence=replace(story.said.evidence, **other))

    return alter


def test_it_is_proved_as_a_person_would(story: RefusedStory):
    (story.folder / "proof").write_bytes(story.proof())
    (story.folder / "vkey").write_text(example.VKEY + "\n")
    argv = [sys.executable, "-I", str(FILE), "proof", "--vkey", "vkey", "--signer", str(story.key)]
    done = subprocess.run(
        argv, cwd=story.folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    first, *facts = done.stdout.splitlines()
    assert "this run was refused" in first
    told = dict(fact.split(maxsplit=1) for fact in facts)
    assert (told["run"], told["refused_by"], told["why"]) == (repr(RUN), "'gate'", repr(WHY))
    assert told["scores"] == repr({"serving orders": 0.05, "orders": 0.9375})


@pytest.mark.parametrize("make", [at_check, untrained])
def test_one_that_trained_nothing_is_proved_as_that(tmp_path: Path, make):
    story = make(tmp_path)
    assert refused(story) == ""
    story.tell(adapter=f"hmac-sha256:{DIGESTS[ADAPTER]}")
    assert "nothing was trained" in refused(story)


def test_a_release_is_not_shown_as_refused_nor_a_refusal_as_a_release(tmp_path: Path):
    passed, failed = Story(tmp_path), RefusedStory(tmp_path)
    assert not refused(passed)
    assert not refused(failed)
    heads = [json.loads(one.proof().splitlines()[0]) for one in (passed, failed)]
    for one, head in zip((failed, passed), heads, strict=True):
        mine, *rest = one.proof().splitlines()
        other = {**json.loads(mine), "envelope": head["envelope"]}
        data = [json.dumps(other, sort_keys=True, separators=(",", ":")).encode(), *rest]
        assert "not built as" in refused(one, b"\n".join(data))


ALTERED = {
    "signed: another adapter": (said(adapter=f"hmac-sha256:{OTHER}"), "adapter is another"),
    "signed: the base": (said(adapter=""), "adapter is another"),
    "signed: another base": (said(base=f"sha256:{OTHER}"), "another base"),
    "signed: another tenant": (said(tenant="acme"), "another tenant's"),
    "signed: another run": (said(run=ADAPTER), "no run.end"),
    "signed: another line": (said(line="other"), "another run"),
    "signed: another reason": (said(why="it was late"), "otherwise why"),
    "signed: another step": (said(step="evaluate"), "no step.end of evaluate"),
    "signed: other data": (evidence(data=(f"hmac-sha256:{OTHER}",)), "data of the statement"),
    "signed: a worse score": (
        evidence(scores={"orders": "0.10", "serving orders": "0.050"}),
        "score of orders",
    ),
    "signed: no score": (evidence(scores={}), "leaves a score out"),
    "signed: another method": (evidence(parameters={"rank": "8"}), "rank is not"),
    "signed: the gate passed it": (evidence(gate="passed: orders"), "gate said otherwise"),
    "log: another statement": (booked("run.end", "statement", OTHER), "another statement"),
    "log: it was done": (booked("run.end", "state", "done"), "does not say"),
    "log: the run is another tenant's": (booked("run.begin", "tenant", "acme"), "another tenant's"),
    "log: the gate passed": (booked("step.end gate", "state", "done"), "no step.end of gate"),
    "log: a step failed": (booked("step.end train", "state", "failed"), "no step.end of train"),
    "log: the base answered": (booked(ASKED, "adapter_digest", None), "not by its adapter"),
    "log: other data": (booked(f"asset.add {TRAIN}", "digest", OTHER), "data of the statement"),
    "run: the gate passed it": (step("gate", "outputs", {"passed": True}), "let it pass"),
    "run: the gate judged other scores": (step("gate", "inputs", {"scores": "99"}), "gate judged"),
    "run: it was trained on another base": (
        step("train", "inputs", {"base": BASE[:-2] + "99"}),
        "another base",
    ),
    "shown: another score": (
        shown("evaluate", "outputs", {"scores": {"orders": {**POINT, "point": 0.2}}}),
        "outputs of evaluate",
    ),
    **{
        f"lost: {name}": (lost(name), "no ")
        for name in (
            *("run.begin", "run.end", f"asset.add {TRAIN}", f"asset.add {ADAPTER}"),
            *("step.end train", "step.end evaluate", "step.end gate"),
        )
    },
}


@pytest.mark.parametrize("name", ALTERED)
def test_what_does_not_agree_is_refused(story: RefusedStory, name: str):
    alter, why = ALTERED[name]
    alter(story)
    assert why in refused(story), name


def test_each_receipt_that_is_left_out_is_missed(story: RefusedStory):
    head, *rest = story.proof().splitlines()
    for number, line in enumerate(rest):
        assert refused(story, b"\n".join([head, *rest[:number], *rest[number + 1 :]])), line
