"""Receipts: a record and the chain of proofs from it to a signed checkpoint, in one file.

`verify` trusts nothing but the public key it is given: no disk, no network, no clock.
`verifier/inland_verify.py` does the same, written apart; one table of cases is run over both.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hmac import compare_digest
from itertools import pairwise
from typing import Any

from inland.domain.errors import InlandError
from inland.ledger import canonical, commitments, merkle, notes
from inland.ledger.canonical import Malformed
from inland.ledger.records import (
    BATCH,
    CHANGE,
    REFUSAL,
    REQUEST,
    TENANT_BATCH,
    VERSION,
    Record,
)

FORMAT = "inland-receipt/1"
MAX_RECEIPT_BYTES = 4 << 20
#: A record lies inside a link, inside the chain, inside the receipt.
_MAX_DEPTH = canonical.MAX_DEPTH + 3

#: Every way from a record to the site log, by kind.
CHAINS = frozenset(
    {
        (REQUEST, TENANT_BATCH, BATCH),
        (REFUSAL, TENANT_BATCH, BATCH),
        (TENANT_BATCH, BATCH),
        (BATCH,),
        (CHANGE,),
    }
)

#: The fields by which a record and the tree above it must agree; of the other kinds, both.
_NAMED_BY = {CHANGE: (), BATCH: ("writer",)}

_HASH = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Link:
    """A record and where its entry stands: at `index` in a tree of `size`, shown by `hashes`."""

    record: Record
    index: int
    size: int
    hashes: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Consistency:
    """That the log's first `from_size` entries, with root `from_root`, are still its beginning."""

    from_size: int
    from_root: bytes
    hashes: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a caller kept and wants compared. `entry`: 64 hex digits. `key`: that record's 32 bytes,
    needed for `input` (the body as sent) and `outputs` (UTF-8 texts by choice).
    `checkpoint`: a note.
    """

    entry: str | None = None
    key: bytes | None = None
    input: bytes | None = None
    outputs: tuple[bytes, ...] = ()
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What a receipt proved. `compared` names the kept things that fitted, `entry` is in hex."""

    record: Record
    entry: str
    chain: tuple[str, ...]
    checkpoint: notes.Checkpoint
    compared: tuple[str, ...]


@dataclass
class Refused(InlandError):
    """The receipt does not prove what it says, or not what the caller kept."""

    why: str

    def __str__(self) -> str:
        return self.why


def build(links: Sequence[Link], checkpoint: str, consistency: Consistency | None = None) -> bytes:
    """The receipt file: `links` from the record to the site log, the note they end in."""
    old = None
    if consistency is not None and consistency.from_size:  # nothing to prove from the empty log
        old = {
            "from_size": consistency.from_size,
            "from_root": consistency.from_root.hex(),
            "hashes": [each.hex() for each in consistency.hashes],
        }
    chain = [
        {
            "record": link.record,
            "proof": {
                "index": link.index,
                "size": link.size,
                "hashes": [each.hex() for each in link.hashes],
            },
        }
        for link in links
    ]
    receipt = {"format": FORMAT, "chain": chain, "checkpoint": checkpoint, "consistency": old}
    return canonical.encode(receipt, _MAX_DEPTH)


def parse_key(text: str) -> bytes:
    """A record's key from the 64 hex digits `inland receipt open` prints. Raises Refused."""
    _demand(_HASH.match(text.strip()) is not None, "the record key is not 64 hex digits")
    return bytes.fromhex(text.strip())


def verify(data: bytes, vkey: str, kept: Kept | None = None) -> Verified:
    """What the receipt in `data` proves under `vkey`, and of what was `kept`. Raises Refused."""
    try:
        receipt = canonical.parse(data, "receipt", MAX_RECEIPT_BYTES)
        same = canonical.encode(receipt, _MAX_DEPTH) == data
        _demand(same, "the receipt is not in canonical form")
        _shape(receipt, {"format", "chain", "checkpoint", "consistency"}, "receipt")
        _demand(receipt["format"] == FORMAT, f"the receipt's format is not {FORMAT}")
        _demand(isinstance(receipt["checkpoint"], str), "the checkpoint is not a note")
        checkpoint = notes.open_note(receipt["checkpoint"], vkey)
        old = _read_consistency(receipt["consistency"], checkpoint)
        links = _read_chain(receipt["chain"])
        _prove(links, checkpoint)
        record = links[0].record
        entry = canonical.entry(canonical.encode(record)).hex()
        compared = _compare(kept or Kept(), record, entry)
        if kept and kept.checkpoint is not None:
            _extends(notes.open_note(kept.checkpoint, vkey), checkpoint, old)
            compared = (*compared, "kept")
    except Malformed as error:
        raise Refused(str(error)) from None
    kinds = tuple(str(link.record["kind"]) for link in links)
    return Verified(record, entry, kinds, checkpoint, compared)


def _demand(holds: object, why: str) -> None:
    if not holds:
        raise Refused(why)


def _shape(value: Any, keys: set[str], what: str) -> None:
    _demand(isinstance(value, dict) and value.keys() == keys, f"the {what} has other fields")


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and _HASH.match(value) is not None


def _hashes(value: Any) -> list[bytes]:
    _demand(isinstance(value, list) and all(map(_is_hash, value)), "hashes are not 64 hex digits")
    return [bytes.fromhex(each) for each in value]


def _read_chain(chain: Any) -> list[Link]:
    _demand(isinstance(chain, list), "the chain is not a list")
    links = []
    for item in chain:
        _shape(item, {"record", "proof"}, "link")
        _shape(item["proof"], {"index", "size", "hashes"}, "proof")
        index, size = item["proof"]["index"], item["proof"]["size"]
        _demand(_is_count(index) and _is_count(size), "a proof's index or size is not a count")
        _read_record(item["record"])
        links.append(Link(item["record"], index, size, _hashes(item["proof"]["hashes"])))
    kinds = tuple(link.record["kind"] for link in links)
    _demand(kinds in CHAINS, "the chain's records are not of kinds that follow one another")
    return links


def _read_record(record: Any) -> None:
    """Check the fields that every chain relies on; what else a record says is its own affair."""
    _demand(isinstance(record, dict), "a record is not an object")
    version, kind = record.get("v"), record.get("kind")
    _demand(type(version) is int and version == VERSION, "a record's version is unknown")
    _demand(isinstance(kind, str), "a record has no kind")
    _demand(_is_count(record.get("time")), "a record has no time")
    for name in _NAMED_BY.get(kind, ("writer", "tenant")):
        _demand(isinstance(record.get(name), str), f"the {kind} has no {name}")


def _prove(links: Sequence[Link], checkpoint: notes.Checkpoint) -> None:
    """Each record lies in the tree that the next one describes, the last in the site log."""
    for link, above in pairwise(links):
        kind, size = above.record["kind"], above.record.get("count")
        root: Any = above.record.get("root")
        _demand(_is_count(size) and _is_hash(root), f"the {kind} does not describe a tree")
        for name in _NAMED_BY.get(link.record["kind"], ("writer", "tenant")):
            same = above.record.get(name, link.record[name]) == link.record[name]
            _demand(same, f"the {kind} above a record is of another {name}")
        _prove_link(link, above.record["count"], bytes.fromhex(root))
    _prove_link(links[-1], checkpoint.size, checkpoint.root)


def _prove_link(link: Link, size: int, root: bytes) -> None:
    kind = link.record["kind"]
    _demand(link.size == size, f"the {kind}'s proof is for a tree of another size")
    entry = canonical.entry(canonical.encode(link.record))
    proved = merkle.verify_inclusion(entry, link.index, size, link.hashes, root)
    _demand(proved, f"the {kind} is not in the tree its proof names")


def _read_consistency(value: Any, new: notes.Checkpoint) -> Consistency | None:
    if value is None:
        return None
    _shape(value, {"from_size", "from_root", "hashes"}, "consistency proof")
    size, root = value["from_size"], value["from_root"]
    starts = _is_count(size) and size > 0 and _is_hash(root)
    _demand(starts, "the consistency proof starts nowhere")
    old = Consistency(size, bytes.fromhex(root), _hashes(value["hashes"]))
    proved = merkle.verify_consistency(size, old.from_root, new.size, new.root, old.hashes)
    _demand(proved, "the consistency proof does not lead to the checkpoint")
    return old


def _extends(kept: notes.Checkpoint, new: notes.Checkpoint, proof: Consistency | None) -> None:
    """The log of the receipt's checkpoint still begins with what the kept one signed."""
    if kept.size > new.size:
        raise Refused(
            f"the kept checkpoint ({kept.size} entries) is newer than the receipt's ({new.size}); "
            "get the receipt again"
        )
    if kept.size == 0:  # its root was checked when it was opened: any log extends the empty one
        return
    if kept.size == new.size:
        _demand(kept.root == new.root, "two checkpoints of one size differ: the log was rewritten")
        return
    if proof is None or proof.from_size != kept.size:
        raise Refused(f"the receipt has no proof from the kept checkpoint ({kept.size} entries)")
    _demand(proof.from_root == kept.root, "the log no longer begins with what the kept one signed")


def _compare(kept: Kept, record: Record, entry: str) -> tuple[str, ...]:
    """The names of what was kept and fits."""
    compared = []
    if kept.entry is not None:
        _demand(compare_digest(kept.entry.encode(), entry.encode()), "the entry is another's")
        compared.append("entry")
    if kept.key is None:
        _demand(kept.input is None and not kept.outputs, "comparing texts needs the record's key")
        return tuple(compared)
    _demand(kept.input is not None or bool(kept.outputs), "a key alone compares nothing")
    if kept.input is not None:
        fits = commitments.commit_input(kept.key, kept.input) == record.get("input")
        _demand(fits, "the input is not what the record commits to")
        compared.append("input")
    if kept.outputs:
        fits = _outputs(kept.key, kept.outputs) == record.get("output")
        _demand(fits, "the outputs are not what the record commits to, choice by choice")
        compared.append("output")
    return tuple(compared)


def _outputs(key: bytes, texts: tuple[bytes, ...]) -> list[str]:
    try:
        return [commitments.commit_output(key, at, text.decode()) for at, text in enumerate(texts)]
    except UnicodeDecodeError:
        raise Refused("an output is not UTF-8 text") from None
