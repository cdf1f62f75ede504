"""What is signed of a release when it is approved, and of a run that was refused: an in-toto
statement with SLSA provenance.

It names the adapter by its asset's digest, a MAC under its tenant's key: whoever has the file and
that key can make it, and nobody else can tell by it what was trained.
"""

from dataclasses import dataclass
from typing import Any

from inland.domain.releases import Evidence, Release
from inland.ledger import canonical

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
#: What a build of this kind is: its parameters and what it resolved are as written here.
BUILD = "https://inland.dev/line/v1"
#: What one is that came to nothing, told in the same form.
REFUSAL = "https://inland.dev/refusal/v1"


@dataclass(frozen=True, slots=True)
class Tried:
    """A run that was refused by its `step`, and `why`. `model`: the name that it would have
    released, or its line's where that releases none; `adapter`: the digest of what it trained,
    empty where nothing came of that."""

    run: str
    tenant: str
    line: str
    model: str
    deployment: str
    base: str
    adapter: str
    evidence: Evidence
    step: str
    why: str
    ended_unix_s: int


def statement(release: Release, approver: str, unix_s: int) -> bytes:
    """The canonical bytes of what is said of `release`, approved by a key's id at a time."""
    approval = {
        "release": release.id,
        "proposed_by": release.proposed_by,
        "approved_by": approver,
        "approved_unix_s": unix_s,
    }
    subject = _resource(f"{release.tenant}/{release.name}", release.digest)
    of = _Build(BUILD, subject, release.base_digest, release.deployment, release.evidence)
    return _told(of, release.evidence.run or release.id, "approval", approval)


def refusal(tried: Tried) -> bytes:
    """The canonical bytes of what is said of a run that was refused: of what it trained, or else of
    the base that it was held to."""
    said = {
        "run": tried.run,
        "line": tried.line,
        "step": tried.step,
        "why": tried.why,
        "ended_unix_s": tried.ended_unix_s,
    }
    subject = _resource(f"{tried.tenant}/{tried.model}", tried.adapter or tried.base)
    of = _Build(REFUSAL, subject, tried.base, tried.deployment, tried.evidence)
    return _told(of, tried.run, "refusal", said)


@dataclass(frozen=True, slots=True)
class _Build:
    kind: str
    subject: dict[str, Any]
    base: str
    deployment: str
    evidence: Evidence


def _told(of: _Build, invocation: str, name: str, annotations: dict[str, Any]) -> bytes:
    evidence = of.evidence
    data = [_resource(f"data-{number}", one) for number, one in enumerate(evidence.data)]
    told: dict[str, Any] = {
        "_type": STATEMENT,
        "subject": [of.subject],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": of.kind,
                "externalParameters": dict(evidence.parameters),
                "internalParameters": {
                    "deployment": of.deployment,
                    "scores": dict(evidence.scores),
                    "gate": evidence.gate,
                },
                "resolvedDependencies": [_resource("base", of.base), *data],
            },
            "runDetails": {
                "builder": {"id": "inland", "version": {"inland": evidence.code}},
                "metadata": {"invocationId": invocation},
                "byproducts": [{"name": name, "annotations": annotations}],
            },
        },
    }
    return canonical.encode(told)


def _resource(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": _digest(digest)}


def _digest(text: str) -> dict[str, str]:
    """`sha256:<hex>` as in-toto writes it."""
    name, _, value = text.partition(":")
    return {name: value} if value else {"unknown": name or "unknown"}
