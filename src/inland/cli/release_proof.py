"""The proof of a release, or that a run was refused, in one file: what was signed of it, the steps
of the run, and a receipt of each record that tells of it. Checked offline by
`verifier/inland_verify.py`."""

import json
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inland.client import FactoryClient

FORMAT, REFUSAL_FORMAT = "inland-release/1", "inland-refusal/1"
#: Changes that a proof has of those that tell of a release, or of a run that was refused.
_TELLING = frozenset({"asset.add", "run.begin", "step.end", "release.propose", "release.approve"})
_OF_REFUSAL = frozenset({"asset.add", "run.begin", "step.end", "run.end"})
#: Steps that come once it is released.
_AFTER = frozenset({"release", "rollout"})

#: Told how many receipts are there, of how many.
Advance = Callable[[int, int, str], None]


def proof(factory: "FactoryClient", release: str, advance: Advance) -> Iterator[bytes]:
    """The file's lines, of a release. Raises Refused."""
    envelope = factory.release_statement(release)["envelope"]
    origin = factory.release_origin(release)
    steps = {kind: step for kind, step in origin["steps"].items() if kind not in _AFTER}
    refs = _refs(origin, _TELLING, steps)
    yield _head(FORMAT, envelope, steps)
    yield from _receipts(factory, refs, advance)


def refusal_proof(factory: "FactoryClient", run: str, advance: Advance) -> Iterator[bytes]:
    """The file's lines, of a run that was refused. Raises Refused."""
    told = factory.run_refusal(run)
    origin = told["origin"]
    refs = _refs(origin, _OF_REFUSAL, origin["steps"])
    yield _head(REFUSAL_FORMAT, told["envelope"], origin["steps"])
    yield from _receipts(factory, refs, advance)


def _head(form: str, envelope: str, steps: dict[str, Any]) -> bytes:
    from inland.ledger import canonical

    head = {"format": form, "envelope": json.loads(envelope), "steps": steps}
    return canonical.encode(head) + b"\n"


def _refs(origin: dict[str, Any], telling: Collection[str], steps: dict[str, Any]) -> list[str]:
    """The records that it shows: changes, and each question once."""
    refs = [one["id"] for one in origin["records"] if one["what"] in telling]
    return [*refs, *dict.fromkeys(ref for step in steps.values() for ref in step["receipts"])]


def _receipts(factory: "FactoryClient", refs: list[str], advance: Advance) -> Iterator[bytes]:
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
