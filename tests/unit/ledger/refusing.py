"""A run that its gate refused, with all that the log has of it: as `releasing.py` makes one that
passed up."""

from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from inland.adapters.weights.envelope import ModelsKey
from inland.adapters.weights.shelf import Shelf
from inland.cli.release_proof import refusal_proof
from inland.decide.lines.planning import digest_of
from inland.domain.releases import Evidence
from inland.ledger.records import Record
from inland.plant.provenance import Tried, refusal
from tests.unit.ledger.releasing import (
    ADAPTER,
    BASE,
    DIGESTS,
    REFS,
    RUN,
    TENANT,
    Story,
    release,
    steps,
)

WHY = "orders: 0.938 (0.880 to 0.970, 2 tasks) does not reach 0.990 by its lower bound"


def tried() -> Tried:
    return Tried(
        run=RUN,
        tenant=TENANT,
        line="orders-line",
        model="orders",
        deployment="smollm2",
        base=BASE,
        adapter=f"hmac-sha256:{DIGESTS[ADAPTER]}",
        evidence=replace(release().evidence, gate=f"refused: {WHY}"),
        step="gate",
        why=WHY,
        ended_unix_s=1_760_000_200,
    )


def refused_steps() -> dict[str, dict[str, Any]]:
    made = steps()
    made["gate"]["outputs"] = {"passed": False, "findings": [{"why": WHY}]}
    return made


@dataclass
class RefusedStory(Story):
    """`said`: what is signed. A test alters one fact."""

    steps: dict[str, dict[str, Any]] = field(default_factory=refused_steps)
    said: Tried = field(default_factory=tried)

    def sign(self) -> None:
        self.payload = refusal(self.said)
        self.records["run.end"]["details"]["statement"] = sha256(self.payload).hexdigest()

    def tell(self, **other: Any) -> None:
        """Sign something else of it than the log's records say, and have the log name that."""
        self.said = replace(self.said, **other)
        self.sign()

    def proof(self) -> bytes:
        story: Any = self
        return b"".join(refusal_proof(story, RUN, lambda *_: None))

    def run_refusal(self, run: str) -> dict[str, Any]:
        assert run == RUN
        (self.folder / "keys").mkdir(exist_ok=True)
        envelope = ModelsKey(Shelf(self.folder)).sign(self.payload)
        return {"id": run, "envelope": envelope, "origin": self.release_origin(RUN)}

    def _changes(self) -> dict[str, Record]:
        self.payload = refusal(self.said)
        made = super()._changes()
        for name in ("release.propose", "release.approve"):
            del made[name]
        facts = {"tenant": TENANT, "line": self.said.line, "state": "refused", "why": self.said.why}
        statement = sha256(self.payload).hexdigest()
        end = self._change("run.end", RUN, who=f"run {RUN}", **facts, statement=statement)
        return {**made, "run.end": end}

    def _end(self, kind: str, step: dict[str, Any]) -> dict[str, Any]:
        state = "refused" if kind == self.said.step else "done"
        return {**super()._end(kind, step), "state": state}


def at_check(folder: Path) -> RefusedStory:
    """One that was refused before anything was done with its data."""
    check = {"inputs": {"base": BASE}, "outputs": {"findings": [{"why": "no"}]}, "receipts": []}
    evidence = replace(release().evidence, scores={}, gate="", parameters={"line": "orders-line"})
    said = replace(tried(), step="check", why="no", adapter="", evidence=evidence)
    return RefusedStory(folder, steps={"check": check}, said=said)


def untrained(folder: Path) -> RefusedStory:
    """One of a line that trains nothing: the base itself did not pass."""
    made = refused_steps()
    del made["train"], made["baseline"]
    made["evaluate"]["inputs"] = {"base": BASE, "candidate": None}
    made["gate"]["inputs"] = {"scores": digest_of(made["evaluate"]["outputs"]), "baseline": None}
    scores = {"orders": "0.938 (0.880 to 0.970)"}
    evidence = Evidence(run=RUN, code="0.1", scores=scores, gate=f"refused: {WHY}")
    said = replace(tried(), adapter="", evidence=evidence)
    story = RefusedStory(folder, steps=made, said=said)
    story.records["run.begin"]["details"] |= {"train": [], "holdout": []}
    for ref in REFS["evaluate"]:
        story.records[ref]["adapter_digest"] = None
    return story
