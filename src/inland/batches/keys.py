"""The API key that a tenant's batches act with: whatever it asks for waits for everybody else's.

It lasts an hour at most and is renewed while a batch is under way. Its secret is in memory only; a
new life of control gives it another.
"""

import base64
from dataclasses import dataclass, replace
from threading import Lock

from inland.domain.api_keys import ID_RANDOM_BYTES, SECRET_RANDOM_BYTES, new_api_key
from inland.domain.batches import Batch
from inland.domain.errors import Conflict
from inland.domain.plant import Key, Role
from inland.plant.changes import Change, Changes
from inland.plant.tenants import refuse_beyond

#: How long a key lasts, and how much of that must be left of one that is handed out, in seconds.
LASTS_S, LEFT_S = 3600, 1200


@dataclass(frozen=True, slots=True)
class _Held:
    key: Key
    text: str


class BatchKeys:
    """One key for each tenant that has batches under way. Threads may share it."""

    def __init__(self, changes: Changes, most: int) -> None:
        """`most`: keys in the factory."""
        self._changes = changes
        self._most = most
        self._lock = Lock()
        self._held: dict[str, _Held] = {}

    def key(self, batch: Batch) -> Key:
        """It, as who acts for a batch. Raises as `text`."""
        return self._good(batch).key

    def text(self, batch: Batch) -> str:
        """A key that every gateway takes by now. Raises Conflict where somebody revoked it."""
        return self._good(batch).text

    def end(self, batch: Batch) -> None:
        """It opens nothing any more, where no batch that is under way acts with it."""
        with self._lock:  # who has the key by now was under way before
            with self._changes.store.read() as transaction:
                under_way = transaction.batches.under_way()
            if any(one.tenant == batch.tenant for one in under_way):
                return
            held = self._held.pop(batch.tenant, None)
            if held is None:
                return
            with self._changes.change(batch.id) as change:
                key = change.state.key(held.key.id)
                if key is not None and not key.revoked:
                    change.state.put_key(replace(key, expires_unix_s=change.unix_s))
                    change.book("key.end", key.id, tenant=batch.tenant, batch=batch.id)

    def drop(self, batch: Batch, text: str) -> bool:
        """This one is no good any more: whoever needs one gets another. Whether it was the newest:
        one that is being made is waited for."""
        with self._lock:
            held = self._held.get(batch.tenant)
            was_newest = held is not None and held.text == text
            if was_newest:
                del self._held[batch.tenant]
            return was_newest

    def _good(self, batch: Batch) -> _Held:
        with self._lock:
            held = self._held.get(batch.tenant)
            now_s = self._changes.clock.unix_us() // 1_000_000
            if held is None or (held.key.expires_unix_s or 0) - now_s < LEFT_S:
                held = self._held[batch.tenant] = self._renewed(batch, now_s)
            return held

    def _renewed(self, batch: Batch, now_s: int) -> _Held:
        entropy = self._changes.entropy
        with self._changes.change(batch.id) as change:
            known = _known(change, batch.tenant)
            first = entropy(ID_RANDOM_BYTES)
            if known is None:
                refuse_beyond(self._most, len(change.state.keys()), "keys")
            else:
                first = base64.b32decode(known.id.upper())
            made = new_api_key(first + entropy(SECRET_RANDOM_BYTES))
            key = Key(
                id=made.id,
                tenant=batch.tenant,
                role=Role.MEMBER,
                secret_sha256=made.secret_sha256,
                expires_unix_s=now_s + LASTS_S,
                created_unix_s=now_s,
                batch=True,
            )
            change.state.put_key(key)
            facts = {"tenant": batch.tenant, "batch": batch.id, "expires": key.expires_unix_s}
            what = "key.add" if known is None else "key.renew"
            change.book(what, key.id, role=key.role.value, models=[], purpose="batch", **facts)
        self._changes.wait_in_force(change.version)
        return _Held(key, made.text)


def _known(change: Change, tenant: str) -> Key | None:
    """The one that its batches had before, unless that was revoked."""
    keys = change.state.keys().values()
    return next(
        (one for one in keys if one.tenant == tenant and one.batch and not one.revoked), None
    )


def demand_kept(batch: Batch, by: Key | None) -> None:
    """Raises Conflict where the key that began a batch was revoked."""
    if by is None or by.revoked:
        raise Conflict(f"batch {batch.id}", f"key {batch.by}, which began it, was revoked")
