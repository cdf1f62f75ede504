"""What stands in a record's place once it is destroyed: its entry, by which every tree stays whole.

A tombstone takes exactly the room that its record had, so that nothing beside it is moved.
"""

from dataclasses import dataclass
from hashlib import sha256

from inland.ledger import canonical
from inland.ledger.records import Record
from inland.ledger.tiles import HASH_BYTES

#: No record begins so: its first key is not this one.
_BEGINS = b'{"destroyed":"'


@dataclass(frozen=True, slots=True)
class Tombstone:
    """`entry`: 32 bytes. `id`: the record's; `intent`: of the one that says it was to go."""

    entry: bytes
    id: str
    intent: str

    def line(self) -> bytes:
        """As an export has it."""
        return canonical.encode(self.said())

    def said(self) -> Record:
        """Its fields."""
        return {"destroyed": self.entry.hex(), "id": self.id, "intent": self.intent}

    def filling(self, size: int) -> bytes:
        """As it lies in the record's place: with spaces behind it."""
        line = self.line()
        assert len(line) <= size, "no record is shorter"
        return line.ljust(size)


def is_destroyed(record: Record) -> bool:
    """Whether what was read of a place says that its record was destroyed."""
    return "destroyed" in record and "kind" not in record


def is_tombstone(line: bytes) -> bool:
    """Whether a line is one, or says that it is."""
    return line.startswith(_BEGINS)


def tombstone_of(line: bytes) -> Tombstone:
    """What a line says. Raises Malformed."""
    said = canonical.decode(line.rstrip(b" "))
    try:
        entry, record, intent = said["destroyed"], said["id"], said["intent"]
        made = Tombstone(bytes.fromhex(entry), str(record), str(intent))
    except (KeyError, TypeError, ValueError) as error:
        raise canonical.Malformed("a tombstone", f"not one ({error})") from None
    if len(made.entry) != HASH_BYTES or made.line() != line.rstrip(b" "):
        raise canonical.Malformed("a tombstone", "not in its one form")
    return made


def entry_of(line: bytes) -> bytes:
    """The entry of the record in a line, there or destroyed. Raises Malformed."""
    return tombstone_of(line).entry if is_tombstone(line) else sha256(line).digest()
