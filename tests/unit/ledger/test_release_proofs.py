"""The proof of a release: whatever of it is another than the log's, the single file refuses it."""

import base64
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from inland.adapters.weights.envelope import ModelsKey
from inland.adapters.weights.shelf import Shelf
from inland.decide.lines.planning import digest_of
from inland.domain.releases import Evidence
from tests.unit.ledger import example
from tests.unit.ledger.releasing import (
    ADAPTER,
    BASE,
    DIGESTS,
    POINT,
    REFS,
    RUN,
    TRAIN,
    Story,
    by_hand,
    dumped,
)
from tests.unit.ledger.verifiers import FILE, load

MODULE = load()


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def refused(story: Story, data: bytes | None = None, key: Path | None = None) -> str:
    """Why the single file refuses it; empty where it does not."""
    file, vkey = story.folder / "proof", story.folder / "vkey"
    file.write_bytes(story.proof() if data is None else data)
    vkey.write_text(example.VKEY)
    args = MODULE.argparse.Namespace(file=file, vkey=vkey, signer=key or story.key)
    try:
        MODULE.verify_signed(args)
    except (ValueError, LookupError, TypeError, AttributeError, MODULE.InvalidSignature) as error:
        return str(error) or "a signature"
    return ""


def test_it_is_proved_as_a_person_would(story: Story):
    (story.folder / "proof").write_bytes(story.proof())
    (story.folder / "vkey").write_text(example.VKEY + "\n")
    argv = [sys.executable, "-I", str(FILE), "proof", "--vkey", "vkey", "--signer", str(story.key)]
    done = subprocess.run(
        [*argv, "--json"],
        cwd=story.folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    told = json.loads(done.stdout)
    assert (told["model"], told["run"]) == ("demo/orders", RUN)
    assert told["scores"] == {"orders": 0.9375, "serving orders": 0.05}
    assert (told["requests"], told["line"]) == (4, True)
    done = subprocess.run(
        argv, cwd=story.folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert "each step of its making" in done.stdout.splitlines()[0]


def test_one_that_no_run_made_is_proved_as_that(tmp_path: Path):
    assert not refused(by_hand(tmp_path))


def test_its_receipts_show_that_the_log_only_grew(story: Story):
    """The log is longer whenever a receipt is asked for."""
    story.grows = True
    assert not refused(story)
    head = story.proof().splitlines()[0]
    bare = [story.receipt(one["id"]) for one in story.records.values()]
    assert "no proof from" in refused(story, b"\n".join([head, *bare]))


def test_receipts_of_a_log_that_was_told_otherwise_are_refused(story: Story):
    first, *rest = story.proof().splitlines()
    own = story.receipt(story.records["run.begin"]["id"])
    story.records["release.propose"]["salt"] = "00" * 16
    assert "no longer begins" in refused(story, b"\n".join([first, story.receipt(ASKED), own]))
    assert rest


def signed(**other):
    def alter(story: Story) -> None:
        story.tell(**other)

    return alter


def evidence(**other):
    def alter(story: Story) -> None:
        story.tell(evidence=replace(story.signed.evidence, **other))

    return alter


def booked(name: str, field: str, value):
    """The log says something else than what was signed or shown."""

    def alter(story: Story) -> None:
        record = story.records[name]
        (record["details"] if field in record.get("details", {}) else record)[field] = value

    return alter


def step(kind: str, part: str, value):
    """A step that is booked so, from its beginning: what it says does not fit the others."""

    def alter(story: Story) -> None:
        made = story.steps[kind]
        made[part] = {**made[part], **value}
        story.records[f"step.end {kind}"]["details"][part] = digest_of(made[part])
        below = story.steps["gate"]["inputs"]
        if (kind, part) == ("evaluate", "outputs"):
            below["scores"] = digest_of(made[part])
            story.records["step.end gate"]["details"]["inputs"] = digest_of(below)

    return alter


def shown(kind: str, part: str, value):
    """A step that is shown otherwise than it was booked."""

    def alter(story: Story) -> None:
        story.steps[kind][part] = value

    return alter


def lost(name: str):
    def alter(story: Story) -> None:
        del story.records[name]

    return alter


ASKED = REFS["evaluate"][0]
ALTERED = {
    "signed: another adapter": (signed(digest="hmac-sha256:" + "99" * 32), "another release"),
    "signed: another base": (signed(base_digest="sha256:" + "99" * 32), "another release"),
    "signed: another name": (signed(name="notes"), "another release"),
    "signed: another tenant": (signed(tenant="acme"), "another release"),
    "signed: another deployment": (signed(deployment="big"), "another release"),
    "signed: another release": (signed(id=TRAIN), "no release.approve"),
    "signed: another proposer": (signed(proposed_by="k2"), "others proposed"),
    "signed: other data": (evidence(data=("hmac-sha256:" + "99" * 32,)), "data of the statement"),
    "signed: more data": (
        evidence(data=(f"hmac-sha256:{DIGESTS[TRAIN]}", "hmac-sha256:" + "99" * 32)),
        "data of the statement",
    ),
    "signed: no data": (evidence(data=()), "data of the statement"),
    "signed: a better score": (evidence(scores={"orders": "0.99"}), "score of orders"),
    "signed: a score of what was not asked": (
        evidence(scores={"orders": "0.938", "more": "1.0"}),
        "score of more",
    ),
    "signed: no score": (evidence(scores={}), "leaves a score out"),
    "signed: another score of what served": (
        evidence(scores={"orders": "0.938", "serving orders": "0.9"}),
        "score of serving orders",
    ),
    "signed: another method": (evidence(parameters={"rank": "8"}), "rank is not"),
    "signed: another loss": (evidence(parameters={"trained.loss": "0.1"}), "loss is not"),
    "signed: another run": (evidence(run=ADAPTER), "no run.begin"),
    "log: another statement": (
        booked("release.approve", "statement", "99" * 32),
        "another statement",
    ),
    "log: another approver": (booked("release.approve", "who", "k2"), "others proposed"),
    "log: approved another adapter": (
        booked("release.approve", "adapter_digest", "hmac-sha256:" + "99" * 32),
        "another release",
    ),
    "log: proposed another base": (
        booked("release.propose", "base_digest", BASE[:-2] + "99"),
        "another release",
    ),
    "log: the adapter has another digest": (
        booked(f"asset.add {ADAPTER}", "digest", "99" * 32),
        "adapter is another",
    ),
    "log: the adapter is another run's": (
        booked(f"asset.add {ADAPTER}", "run", TRAIN),
        "made another adapter",
    ),
    "log: the adapter is made of other data": (
        booked(f"asset.add {ADAPTER}", "parents", []),
        "made another adapter",
    ),
    "log: other data": (booked(f"asset.add {TRAIN}", "digest", "99" * 32), "data of the statement"),
    "log: the run is another tenant's": (booked("run.begin", "tenant", "acme"), "another tenant's"),
    "log: a step failed": (booked("step.end gate", "state", "refused"), "no step.end of gate"),
    "log: a step came to something else": (
        booked("step.end evaluate", "outputs", "99" * 32),
        "outputs of evaluate",
    ),
    "log: more was asked": (booked("step.end evaluate", "receipts", 3), "other receipts"),
    "log: something else was asked": (
        booked("step.end evaluate", "receipts_sha256", "99" * 32),
        "other receipts",
    ),
    "log: the base answered": (booked(ASKED, "adapter_digest", None), "not by its adapter"),
    "log: another base answered": (
        booked(ASKED, "model_digest", "sha256:" + "99" * 32),
        "not by its adapter",
    ),
    "run: the gate did not pass": (step("gate", "outputs", {"passed": False}), "did not pass"),
    "signed: the gate refused": (evidence(gate="refused: orders"), "gate said otherwise"),
    "run: the gate judged other scores": (step("gate", "inputs", {"scores": "99"}), "gate judged"),
    "run: the gate compared with nothing": (
        step("gate", "inputs", {"baseline": None}),
        "gate judged",
    ),
    "run: another candidate was evaluated": (
        step("evaluate", "inputs", {"candidate": "99" * 32}),
        "another candidate",
    ),
    "run: it was trained on other data": (
        step("train", "inputs", {"train": ["99" * 32]}),
        "another base, or other data",
    ),
    "run: it was trained on another base": (
        step("train", "inputs", {"base": "sha256:" + "99" * 32}),
        "another base, or other data",
    ),
    "run: it scored otherwise": (
        step("evaluate", "outputs", {"scores": {"orders": {**POINT, "point": 0.8}}}),
        "score of orders",
    ),
    "shown: another score": (
        shown("evaluate", "outputs", {"scores": {"orders": {**POINT, "point": 0.99}}}),
        "outputs of evaluate",
    ),
    "shown: other data": (shown("train", "inputs", {"train": []}), "inputs of train"),
    "shown: less was asked": (
        shown("evaluate", "receipts", REFS["evaluate"][:1]),
        "other receipts",
    ),
    "shown: nothing was asked": (shown("baseline", "receipts", []), "other receipts"),
    **{
        f"lost: {name}": (lost(name), "no ")
        for name in (
            *("release.propose", "release.approve", "run.begin", f"asset.add {TRAIN}"),
            *(f"asset.add {ADAPTER}", "step.end train", "step.end evaluate", "step.end gate"),
        )
    },
}


@pytest.mark.parametrize("name", ALTERED)
def test_what_does_not_agree_is_refused(story: Story, name: str):
    alter, why = ALTERED[name]
    alter(story)
    assert why in refused(story), name


def test_another_approver_than_signed_is_refused(story: Story):
    story.approver = "k2"
    story.sign()
    assert "others proposed or approved" in refused(story)


@pytest.mark.parametrize("kind", ["train", "evaluate", "gate"])
def test_a_step_that_is_left_out_is_missed(story: Story, kind: str):
    head, *rest = story.proof().splitlines()
    told = json.loads(head)
    receipts = told["steps"].pop(kind)["receipts"]
    kept = [line for line in rest if not any(ref in line.decode() for ref in receipts)]
    assert "a step is not" in refused(story, b"\n".join([dumped(told), *kept]))


def test_each_receipt_that_is_left_out_is_missed(story: Story):
    head, *rest = story.proof().splitlines()
    for number, line in enumerate(rest):
        assert refused(story, b"\n".join([head, *rest[:number], *rest[number + 1 :]])), line


def test_each_line_is_bound_by_a_signature(story: Story):
    """A digit of each line's every digest is another: none passes."""
    lines = story.proof().splitlines()
    for number, line in enumerate(lines[1:], 1):
        at = line.index(b'"salt":"') + len(b'"salt":"')
        other = b"1" if line[at : at + 1] == b"0" else b"0"
        changed = [*lines[:number], line[:at] + other + line[at + 1 :], *lines[number + 1 :]]
        assert refused(story, b"\n".join(changed)), number


@pytest.mark.parametrize("part", ["payload", "payloadType", "signatures"])
def test_an_envelope_is_bound_by_the_signers_key(story: Story, part: str):
    head, *rest = story.proof().splitlines()
    told = json.loads(head)
    envelope = told["envelope"]
    if part == "payload":
        said = json.loads(base64.b64decode(envelope["payload"]))
        said["subject"][0]["name"] = "demo/notes"
        envelope["payload"] = base64.b64encode(dumped(said)).decode()
    elif part == "payloadType":
        envelope["payloadType"] = "application/json"
    else:
        envelope["signatures"] = [{"sig": base64.b64encode(b"0" * 70).decode()}]
    assert refused(story, b"\n".join([dumped(told), *rest]))


def test_another_signer_is_refused(story: Story, tmp_path: Path):
    other = tmp_path / "other"
    (other / "keys").mkdir(parents=True)
    ModelsKey(Shelf(other)).sign(b"{}")
    assert "another key's" in refused(story, key=Shelf(other).public_key)


def test_a_request_that_no_step_made_is_refused(story: Story):
    more = {**story.records[ASKED], "id": example.record_id("demo", 99)}
    story.records[more["id"]] = more
    data = story.proof() + story.receipt(more["id"])
    assert "no step made" in refused(story, data)


def test_a_proof_without_evidence_hides_no_step(tmp_path: Path):
    """Of a release that no run made, steps are nobody's."""
    made, whole = by_hand(tmp_path), Story(tmp_path)
    assert made.signed.evidence == Evidence()
    head, *rest = made.proof().splitlines()
    told = json.loads(head)
    told["steps"] = json.loads(whole.proof().splitlines()[0])["steps"]
    assert "by no run" in refused(made, b"\n".join([dumped(told), *rest]))
