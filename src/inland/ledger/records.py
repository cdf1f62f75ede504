"""The shapes of records: what happened, as plain dictionaries that `canonical` can write.

Every record has a version, a kind, 16 random bytes (`salt`, so that nobody can guess a record from
its hash), and a time in Unix microseconds. Values are integers, strings, booleans, null, and lists
and objects of them; keys are ASCII. `docs/formats.md` specifies each kind.
"""

from typing import Any, NewType

#: A record as parsed or about to be written.
Record = dict[str, Any]
#: The SHA-256 of a record's canonical bytes: the 32 bytes that stand for it in every tree.
Entry = NewType("Entry", bytes)

VERSION = 1
SALT_BYTES = 16

REQUEST = "request"
REFUSAL = "refusal"
TENANT_BATCH = "tenant-batch"
BATCH = "batch"
CHANGE = "change"

#: How a request ended. Only the first two are billed, and only what was delivered.
COMPLETE, HUNG_UP, FAILED, INTERRUPTED = "complete", "hung-up", "failed", "interrupted"
BILLED = frozenset({COMPLETE, HUNG_UP})


def new_record(kind: str, *, salt: bytes, unix_us: int, **fields: Any) -> Record:
    """A record of `kind` at `unix_us`, salted with 16 fresh random bytes."""
    assert len(salt) == SALT_BYTES
    return {"v": VERSION, "kind": kind, "salt": salt.hex(), "time": unix_us, **fields}


def interrupted(opening: Record, *, salt: bytes) -> Record:
    """The record of a stream whose gateway died: what its opening said, unbilled, end unknown."""
    return {
        **opening,
        "kind": REQUEST,
        "salt": salt.hex(),
        "outcome": INTERRUPTED,
        "billed": False,
        "output": [],
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "cached_tokens": 0,
        "wasted_tokens_estimated": 0,
        "ttft_us": None,
        "duration_us": None,
        "status": None,
        "stalled_us": 0,
    }
