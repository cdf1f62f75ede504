"""How one log leads to the next: the record that ends it names the key of the one that follows."""

from dataclasses import dataclass

from inland.ledger.receipts import Verified

#: The first record of a log; its `head` is the one that this log follows, if any.
LOG_OPEN = "log.open"
#: The last record of a log whose key was rotated; its `vkey` is the next log's, with a `why`.
LOG_ROTATE = "log.rotate"
SCHEDULED, COMPROMISED = "scheduled", "compromised"


@dataclass(frozen=True, slots=True)
class Successor:
    """The public key of the log that follows, as the one before it says. `why`: as it was given."""

    vkey: str
    why: str


def successor(verified: Verified) -> Successor | None:
    """What a verified receipt says of the log after its own; None where it says nothing of it."""
    record = verified.record
    details = record.get("details")
    if (record["kind"], record.get("what")) != ("change", LOG_ROTATE):
        return None
    if record.get("subject") != verified.checkpoint.origin or not isinstance(details, dict):
        return None
    vkey, why = details.get("vkey"), details.get("why")
    return Successor(vkey, why) if isinstance(vkey, str) and isinstance(why, str) else None
