"""`keys/first.json`: the keys a first start gave out, as hashes, for control to take in once."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from inland.domain.errors import Damaged
from inland.domain.plant import Role

FILE_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class FirstKey:
    """A key without its secret. `tenant` is None for the operator's."""

    id: str
    secret_sha256: str
    role: Role
    tenant: str | None


def to_json(keys: Sequence[FirstKey]) -> str:
    """The file's text."""
    return json.dumps([asdict(key) for key in keys], indent=2) + "\n"


def read(path: Path) -> tuple[FirstKey, ...]:
    """The keys in the file; none when there is no file. Raises Damaged.

    Control inserts those whose id it has never seen; a revoked one so stays revoked.
    """
    try:
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT_BYTES)
    except FileNotFoundError:
        return ()
    try:
        return tuple(
            FirstKey(key["id"], key["secret_sha256"], Role(key["role"]), key["tenant"])
            for key in json.loads(data)
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(str(path), f"cannot be read: {error}") from None
