"""A release as a run of a line makes one, with all that the log has of it: made up, but signed,
booked and proved by the real parts. Tests change one fact and see what becomes of the proof."""

import json
from copy import deepcopy
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from inland.adapters.weights.envelope import ModelsKey
from inland.adapters.weights.shelf import Shelf
from inland.cli.release_proof import proof
from inland.decide.lines.planning import digest_of, text_of
from inland.domain.releases import Evidence, Release, ReleaseState
from inland.ledger import merkle, receipts
from inland.ledger.records import BATCH, CHANGE, TENANT_BATCH, Record
from inland.plant.provenance import statement
from tests.unit.ledger import example

RUN, ADAPTER = (f"0199c70e-6400-7aaa-8aaa-{n:012x}" for n in (1, 2))
#: A release that a run made has its id.
RELEASE = RUN
TRAIN, HOLDOUT, SUITE = (f"0199c70e-6400-7bbb-8bbb-{n:012x}" for n in (1, 2, 3))
TENANT, BASE = "demo", "sha256:" + "ba" * 32
DIGESTS = {TRAIN: "1a" * 32, HOLDOUT: "2b" * 32, SUITE: "3c" * 32, ADAPTER: "4d" * 32}
APPROVED_S = 1_760_000_200
POINT = {"point": 0.9375, "low": 0.88, "high": 0.97, "count": 2, "values": [1.0, 0.875]}
REFS = {
    "baseline": [example.record_id(TENANT, n) for n in (10, 11)],
    "evaluate": [example.record_id(TENANT, n) for n in (12, 13)],
}


def steps() -> dict[str, dict[str, Any]]:
    """Of the run: what went in, what came out, what was asked."""
    train = {"adapter": ADAPTER, "digest": "5e" * 32, "loss": 0.25}
    made = {
        "baseline": ({"base": BASE}, {"scores": {"orders": {**POINT, "point": 0.05}}}),
        "train": ({"base": BASE, "train": [DIGESTS[TRAIN]], "method": {"rank": 16}}, train),
        "evaluate": ({"candidate": train["digest"]}, {"scores": {"orders": POINT}}),
    }
    baseline, evaluate = (digest_of(made[kind][1]) for kind in ("baseline", "evaluate"))
    made["gate"] = ({"scores": evaluate, "baseline": baseline}, {"passed": True, "findings": []})
    return {
        kind: {"inputs": given, "outputs": came, "receipts": REFS.get(kind, [])}
        for kind, (given, came) in made.items()
    }


def release() -> Release:
    return Release(
        id=RELEASE,
        tenant=TENANT,
        name="orders",
        deployment="smollm2",
        base_digest=BASE,
        adapter=ADAPTER,
        digest=f"hmac-sha256:{DIGESTS[ADAPTER]}",
        state=ReleaseState.APPROVED,
        proposed_by=f"run {RUN}",
        created_unix_s=APPROVED_S,
        since_unix_s=APPROVED_S,
        evidence=Evidence(
            run=RUN,
            code="0.1",
            data=(f"hmac-sha256:{DIGESTS[TRAIN]}",),
            parameters={"rank": "16", "line": "orders", "trained.loss": "0.25"},
            scores={"orders": "0.938 (0.880 to 0.970)", "serving orders": "0.050 (0.0 to 0.1)"},
            gate="passed",
        ),
    )


@dataclass
class Story:
    """What is told of the release (`signed`), what the log has (`records`, by name), and the run's
    steps as the proof shows them; a test alters one."""

    folder: Path
    signed: Release = field(default_factory=release)
    steps: dict[str, dict[str, Any]] = field(default_factory=steps)
    approver: str = "k-approver"
    records: dict[str, Record] = field(default_factory=dict)
    grows: bool = False
    length: int = 0

    def __post_init__(self) -> None:
        self.payload = statement(self.signed, self.approver, APPROVED_S)
        self.records = self._changes() | {
            ref: self._request(ref, number, kind)
            for kind, refs in REFS.items()
            for number, ref in enumerate(refs)
        }

    def tell(self, **other: Any) -> None:
        """Sign something else of it than the log's records say, and have the log name that."""
        self.signed = replace(self.signed, **other)
        self.sign()

    def sign(self) -> None:
        self.payload = statement(self.signed, self.approver, APPROVED_S)
        self.records["release.approve"]["details"]["statement"] = sha256(self.payload).hexdigest()

    def proof(self) -> bytes:
        """The file, as the command makes it."""
        story: Any = self
        return b"".join(proof(story, RELEASE, lambda *_: None))

    @property
    def key(self) -> Path:
        return Shelf(self.folder).public_key

    # -- what the command asks of a factory, answered by this story

    def release_statement(self, release: str) -> dict[str, Any]:
        assert release == RELEASE
        (self.folder / "keys").mkdir(exist_ok=True)
        return {"id": release, "envelope": ModelsKey(Shelf(self.folder)).sign(self.payload)}

    def release_origin(self, release: str) -> dict[str, Any]:
        assert release == RELEASE
        shown = {
            kind: {name: one if name == "receipts" else text_of(one) for name, one in step.items()}
            for kind, step in self.steps.items()
        }
        named = [one for one in self.records.values() if one["kind"] == CHANGE]
        return {"records": named, "steps": shown}

    def receipt(self, ref: str, since: int | None = None) -> bytes:
        """Where it `grows`, the log is longer each time."""
        self.length += self.grows
        log, batch, tenant, asked = self._log()
        links = [
            example.link(records, place)
            for records, place in ((asked, _at(asked, ref)), (tenant, 0), (log, batch))
            if place is not None
        ]
        if len(links) == 2:  # a change: it stands in the log itself
            links = [example.link(log, next(n for n, one in enumerate(log) if one["id"] == ref))]
        old = None
        if since is not None:
            entries = example.entries(log)
            hashes = merkle.consistency(entries, since, len(log))
            old = receipts.Consistency(since, merkle.root(entries[:since]), hashes)
        return receipts.build(links, example.checkpoint(log), old)

    def _log(self) -> tuple[list[Record], int, list[Record], list[Record]]:
        asked = [one for one in self.records.values() if one["kind"] != CHANGE]
        named = {"writer": example.WRITER, "number": 0}
        tree = example.tree_of(asked)
        tenant = [example.make(TENANT_BATCH, TENANT, 70, **named, tenant=TENANT, first=0, **tree)]
        batch = example.make(BATCH, "0", 70, id="batch", **named, **example.tree_of(tenant))
        log = [one for one in self.records.values() if one["kind"] == CHANGE]
        more = [example.change(n) for n in range(self.length)]
        return [*log, batch, *more], len(log), tenant, asked

    def _changes(self) -> dict[str, Record]:
        facts = {
            "tenant": TENANT,
            "name": self.signed.name,
            "deployment": self.signed.deployment,
            "adapter": self.signed.adapter,
            "adapter_digest": self.signed.digest,
            "base_digest": self.signed.base_digest,
        }
        signed = {"statement": sha256(self.payload).hexdigest()}
        made = {
            f"asset.add {asset}": self._change("asset.add", asset, **self._asset(asset))
            for asset in DIGESTS
        }
        used = {"train": [TRAIN], "holdout": [HOLDOUT], "suites": [SUITE]}
        begun = {"run.begin": self._change("run.begin", "orders", own=RUN, tenant=TENANT, **used)}
        ends = {
            f"step.end {kind}": self._change("step.end", kind, **self._end(kind, step))
            for kind, step in self.steps.items()
        }
        return {
            **made,
            **begun,
            **ends,
            "release.propose": self._change(
                "release.propose", RELEASE, who=self.signed.proposed_by, **facts
            ),
            "release.approve": self._change(
                "release.approve", RELEASE, who=self.approver, **facts, **signed
            ),
        }

    def _asset(self, asset: str) -> dict[str, Any]:
        of_run = (
            {"run": RUN, "parents": [TRAIN]} if asset == ADAPTER else {"run": "", "parents": []}
        )
        return {"tenant": TENANT, "digest": DIGESTS[asset], **of_run}

    def _end(self, kind: str, step: dict[str, Any]) -> dict[str, Any]:
        """What the log says of a step; `kind` says no more of one that is done."""
        del kind
        return {
            "run": RUN,
            "tenant": TENANT,
            "state": "done",
            "inputs": digest_of(step["inputs"]),
            "outputs": digest_of(step["outputs"]),
            "reused": "",
            "receipts": len(step["receipts"]),
            "receipts_sha256": digest_of(step["receipts"]),
        }

    def _change(
        self, what: str, subject: str, who: str = "k1", own: str = "", **details: Any
    ) -> Record:
        name = f"{what} {subject}"
        facts = {
            "id": own or example.record_id(name, 1),
            "what": what,
            "who": who,
            "subject": subject,
        }
        return example.make(CHANGE, name, 1, **facts, details=deepcopy(details))

    def _request(self, ref: str, number: int, kind: str) -> Record:
        made = example.request(TENANT, number)
        adapter = f"hmac-sha256:{DIGESTS[ADAPTER]}" if kind == "evaluate" else None
        return {**made, "id": ref, "model_digest": BASE, "adapter_digest": adapter}


def _at(records: list[Record], ref: str) -> int | None:
    """Where a record stands among these."""
    return next((n for n, one in enumerate(records) if one["id"] == ref), None)


def by_hand(folder: Path) -> Story:
    """A release that no run made."""
    story = Story(folder, replace(release(), evidence=Evidence(), proposed_by="k1"), {})
    for name in [one for one in story.records if not one.startswith(("release.", "asset.add"))]:
        del story.records[name]
    return story


def dumped(line: dict[str, Any]) -> bytes:
    """A line of a proof."""
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
