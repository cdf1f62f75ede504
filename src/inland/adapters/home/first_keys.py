"""`keys/first.json`: the keys a first start gave out, as hashes, for control to take in."""

import json
from collections.abc import Sequence
from pathlib import Path

from inland.domain.errors import Damaged
from inland.domain.plant import Key, Role

FILE_LIMIT_BYTES = 64 * 1024


def to_json(keys: Sequence[Key]) -> str:
    """The file's text."""
    facts = [
        {
            "id": key.id,
            "secret_sha256": key.secret_sha256,
            "role": key.role.value,
            "tenant": key.tenant,
            "created_unix_s": key.created_unix_s,
        }
        for key in keys
    ]
    return json.dumps(facts, indent=2) + "\n"


def read(path: Path) -> tuple[Key, ...]:
    """The keys in the file; none when there is no file. Raises Damaged."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT_BYTES)
    except FileNotFoundError:
        return ()
    try:
        return tuple(
            Key(
                id=key["id"],
                tenant=key["tenant"],
                role=Role(key["role"]),
                secret_sha256=key["secret_sha256"],
                declared=True,
                created_unix_s=key["created_unix_s"],
            )
            for key in json.loads(data)
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(str(path), f"cannot be read: {error}") from None
