"""What is signed of a release when it is approved: an in-toto statement with SLSA provenance.

It names the adapter by its asset's digest, a MAC under its tenant's key: whoever has the file and
that key can make it, and nobody else can tell by it what was trained.
"""

from typing import Any

from inland.domain.releases import Release
from inland.ledger import canonical

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
#: What a build of this kind is: its parameters and what it resolved are as written here.
BUILD = "https://inland.dev/line/v1"


def statement(release: Release, approver: str, unix_s: int) -> bytes:
    """The canonical bytes of what is said of `release`, approved by a key's id at a time."""
    evidence = release.evidence
    base = {"name": "base", "digest": _digest(release.base_digest)}
    data = [
        {"name": f"data-{number}", "digest": _digest(one)}
        for number, one in enumerate(evidence.data)
    ]
    told: dict[str, Any] = {
        "_type": STATEMENT,
        "subject": [
            {"name": f"{release.tenant}/{release.name}", "digest": _digest(release.digest)}
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": dict(evidence.parameters),
                "internalParameters": {
                    "deployment": release.deployment,
                    "scores": dict(evidence.scores),
                    "gate": evidence.gate,
                },
                "resolvedDependencies": [base, *data],
            },
            "runDetails": {
                "builder": {"id": "inland", "version": {"inland": evidence.code}},
                "metadata": {"invocationId": evidence.run or release.id},
                "byproducts": [
                    {
                        "name": "approval",
                        "annotations": {
                            "release": release.id,
                            "proposed_by": release.proposed_by,
                            "approved_by": approver,
                            "approved_unix_s": unix_s,
                        },
                    }
                ],
            },
        },
    }
    return canonical.encode(told)


def _digest(text: str) -> dict[str, str]:
    """`sha256:<hex>` as in-toto writes it."""
    name, _, value = text.partition(":")
    return {name: value} if value else {"unknown": name or "unknown"}
