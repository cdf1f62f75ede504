"""Evidence of silence: what a command did not send, as facts under the site log's key.

A file of canonical JSON: `format`, `evidence`, and `signature`, the last line of a signed note over
two lines: the format, and the SHA-256 of the evidence's canonical bytes. No checkpoint looks so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from inland.ledger import canonical, notes
from inland.ledger.canonical import Malformed
from inland.ledger.records import Record

FORMAT = "inland-egress/1"
MAX_BYTES = 1 << 22
_FIELDS = {"format", "evidence", "signature"}


@dataclass(frozen=True, slots=True)
class Silence:
    """What was signed: the `facts`, and the `key` (a log's name) that signed them."""

    facts: Record
    key: str


def sign(facts: Record, name: str, key: Callable[[bytes], bytes], public_key: bytes) -> bytes:
    """The file. `name`: of the log whose key makes the signature. Raises Malformed."""
    note = notes.sign(_signed(facts), name, key, public_key)
    signature = note.rpartition("\n\n")[2].removesuffix("\n")
    told = {"format": FORMAT, "evidence": facts, "signature": signature}
    return canonical.encode(told, canonical.MAX_DEPTH + 1)


def key_name(data: bytes) -> str:
    """The log whose key a file says it is signed by; nothing is verified. Raises Malformed."""
    return str(_parsed(data)["signature"]).split(" ")[1]


def verify(data: bytes, vkey: str) -> Silence:
    """What the file says, if `vkey` signed it and it claims what evidence may. Raises Malformed."""
    told = _parsed(data)
    text = f"{_signed(told['evidence']).decode()}\n{told['signature']}\n"
    notes.open_text(text, vkey)
    _demand_silence(told["evidence"])
    return Silence(told["evidence"], notes.parse_vkey(vkey).name)


def _signed(facts: Record) -> bytes:
    return f"{FORMAT}\n{sha256(canonical.encode(facts)).hexdigest()}\n".encode()


def _parsed(data: bytes) -> Record:
    told = canonical.parse(data, "evidence", MAX_BYTES)
    if set(told) != _FIELDS or told["format"] != FORMAT:
        raise Malformed("evidence", f"not of the format {FORMAT}")
    if not isinstance(told["evidence"], dict) or not isinstance(told["signature"], str):
        raise Malformed("evidence", "its fields are of other types")
    if canonical.encode(told, canonical.MAX_DEPTH + 1) != data:
        raise Malformed("evidence", "not in canonical form")
    if len(told["signature"].split(" ")) != 3 or "\n" in told["signature"]:
        raise Malformed("evidence", "its signature is no signature line")
    return told


def _demand_silence(facts: Record) -> None:
    """That it claims silence, and that a canary was heard in every way it names."""
    canary, sent = facts.get("canary"), facts.get("sent")
    if not isinstance(canary, dict) or not canary or not isinstance(sent, dict):
        raise Malformed("evidence", "it has no counts")
    if any(type(count) is not int or count < 1 for count in canary.values()):
        raise Malformed("evidence", "a canary in it was not counted")
    if any(sent.values()) or facts.get("left_behind") != 0:
        raise Malformed("evidence", "it tells of something that was sent, or of who was left")
