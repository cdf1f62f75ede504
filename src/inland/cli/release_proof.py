"""The proof of a release in one file: what was signed of it, the steps of the run that made it, and
a receipt of each record that tells of either. Checked offline by `verifier/inland_verify.py`."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inland.client import FactoryClient

FORMAT = "inland-release/1"
#: Changes that a proof has of those that tell of a release.
_TELLING = ("asset.add", "run.begin", "step.end", "release.propose", "release.approve")
#: Steps that come once it is released.
_AFTER = frozenset({"release", "rollout"})

#: Told how many receipts are there, of how many.
Advance = Callable[[int, int, str], None]


def proof(factory: "FactoryClient", release: str, advance: Advance) -> Iterator[bytes]:
    """The file's lines. Raises Refused."""
    from inland.ledger import canonical

    envelope = json.loads(factory.release_statement(release)["envelope"])
    origin = factory.release_origin(release)
    steps = origin["steps"]
    asked = {kind: step for kind, step in steps.items() if kind not in _AFTER}
    head = {"format": FORMAT, "envelope": envelope, "steps": asked}
    yield canonical.encode(head) + b"\n"
    refs = [one["id"] for one in origin["records"] if one["what"] in _TELLING]
    refs += dict.fromkeys(ref for step in asked.values() for ref in step["receipts"])
    sizes: dict[str, int] = {}
    for number, ref in enumerate(refs):
        advance(number, len(refs), "receipts")
        yield _receipt(factory, ref, sizes) + b"\n"
    advance(len(refs), len(refs), "receipts")


def _receipt(factory: "FactoryClient", ref: str, sizes: dict[str, int]) -> bytes:
    """One that shows that its log only grew since the first receipt of that log."""
    data = factory.receipt(ref)
    log, size, *_ = json.loads(data)["checkpoint"].split("\n")
    since = sizes.setdefault(log, int(size))
    return data if int(size) == since else factory.receipt(ref, since)
