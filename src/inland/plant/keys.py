"""API keys: shown once, kept as a hash, rotated, revoked; what ends a key returns in force."""

from collections.abc import Iterable
from dataclasses import replace
from math import inf
from threading import Lock

from inland.domain.api_keys import ID_RANDOM_BYTES, SECRET_RANDOM_BYTES, ApiKey, new_api_key
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.domain.ids import is_name
from inland.domain.plant import Key, Role
from inland.plant.changes import Changes
from inland.plant.tenants import refuse_beyond
from inland.ports.state import StateTables

MAX_MODELS = 64
#: Longest that a key may go on beside its successor.
MAX_OVERLAP_S = 366 * 86_400
#: Roles whose keys belong to a tenant; the others belong to the factory.
TENANT_ROLES = frozenset({Role.TENANT_ADMIN, Role.MEMBER})


class Keys:
    """The API keys of one factory."""

    def __init__(self, changes: Changes, most: int) -> None:
        """`most`: how many there may be, revoked ones included."""
        self._changes = changes
        self._most = most
        self._rotating = Lock()  # one key waits to be the operator's at a time

    def all(self, tenant: str | None = None) -> list[Key]:
        """Every key, or one tenant's."""
        with self._changes.store.read() as transaction:
            keys = transaction.state.keys().values()
        return [key for key in keys if tenant is None or key.tenant == tenant]

    def find(self, key: str) -> Key | None:
        """The key of that id."""
        with self._changes.store.read() as transaction:
            return transaction.state.key(key)

    def add(
        self,
        who: str,
        tenant: str | None,
        role: Role = Role.MEMBER,
        models: Iterable[str] = (),
        expires_unix_s: int | None = None,
    ) -> tuple[Key, str]:
        """A new key and its text, which is never to be had again.

        `models`: deployments it may call; empty means all. Raises BadInput, or NotFound for an
        unknown tenant.
        """
        now_s = self._now_s()
        names = _checked_models(models)
        if expires_unix_s is not None and expires_unix_s <= now_s:
            raise BadInput("expires", "it lies in the past")
        if (tenant is not None) != (role in TENANT_ROLES):
            needs = "a tenant" if role in TENANT_ROLES else "no tenant"
            raise BadInput("role", f"{role.value} takes {needs}")
        made = new_api_key(self._changes.entropy(ID_RANDOM_BYTES + SECRET_RANDOM_BYTES))
        key = Key(
            id=made.id,
            tenant=tenant,
            role=role,
            secret_sha256=made.secret_sha256,
            models=names,
            expires_unix_s=expires_unix_s,
            created_unix_s=now_s,
        )
        with self._changes.change(who) as change:
            if tenant is not None and change.state.tenant(tenant) is None:
                raise NotFound(f"tenant {tenant!r}")
            taken = change.state.keys()
            refuse_beyond(self._most, len(taken), "keys")
            if key.id in taken:
                raise Conflict("key", "its random id is taken; ask again")
            change.state.put_key(key)
            change.book(
                "key.add",
                key.id,
                tenant=tenant,
                role=role.value,
                models=list(names),
                expires=expires_unix_s,
            )
        return key, made.text

    def rotate(
        self, who: str, key_id: str, overlap_s: int, tenant: str | None = None
    ) -> tuple[Key, Key, str]:
        """Make a key's successor: the old key as it is now, the new one, and its text.

        The new key may do what the old one may, and lasts as long as that one was made to last.
        The old one ends after `overlap_s`; with 0 it is revoked. Returns when every gateway takes
        the new one, and the old one no more than it should. The operator's commands on this machine
        go on with the new one. `tenant` limits whose it may be. Raises NotFound, BadInput, or
        Conflict for a key that has ended or was rotated before.
        """
        if not 0 <= overlap_s <= MAX_OVERLAP_S:
            raise BadInput("overlap", f"it is 0 to {MAX_OVERLAP_S} seconds")
        made = new_api_key(self._changes.entropy(ID_RANDOM_BYTES + SECRET_RANDOM_BYTES))
        with self._rotating:
            is_own = self._changes.secrets.operator_key() == key_id
            if is_own:
                self._changes.secrets.keep_next_operator_key(made.text)
            try:
                with self._changes.change(who) as change:
                    old = _of(change.state, key_id, tenant)
                    old, new = self._succeeded(old, made, overlap_s)
                    taken = change.state.keys()
                    refuse_beyond(self._most, len(taken), "keys")
                    if new.id in taken:
                        raise Conflict("key", "its random id is taken; ask again")
                    change.state.put_key(new)
                    change.state.put_key(old)
                    change.book(
                        "key.rotate",
                        old.id,
                        successor=new.id,
                        tenant=old.tenant,
                        role=old.role.value,
                        expires=new.expires_unix_s,
                        ends=self._now_s() if old.revoked else old.expires_unix_s,
                    )
            finally:
                if is_own:
                    self.settle()
        self._changes.wait_in_force(change.version)
        return old, new, made.text

    def _succeeded(self, key: Key, made: ApiKey, overlap_s: int) -> tuple[Key, Key]:
        """A key and the one that takes its place, as they are to be. Raises Conflict."""
        now_s = self._now_s()
        if key.successor is not None:
            why = f"it was rotated to {key.successor}: rotate that one"
            raise Conflict(f"key {key.id!r}", why)
        if not is_live(key, now_s):
            why = "it has ended: make a new one (inland key add)"
            raise Conflict(f"key {key.id!r}", why)
        ends, lasts = now_s + overlap_s, key.expires_unix_s
        new = replace(
            key,
            id=made.id,
            secret_sha256=made.secret_sha256,
            created_unix_s=now_s,
            declared=False,
            expires_unix_s=None if lasts is None else now_s + lasts - key.created_unix_s,
        )
        if overlap_s == 0:
            return replace(key, revoked=True, successor=made.id), new
        lasts = ends if lasts is None else min(lasts, ends)
        return replace(key, expires_unix_s=lasts, successor=made.id), new

    def settle(self) -> None:
        """Finish what a rotation of the operator's own key began: at start, or when it ends."""

        def works(key_id: str) -> bool:
            key = self.find(key_id)
            return key is not None and is_live(key, self._now_s())

        self._changes.secrets.settle_operator_key(works)

    def revoke(self, who: str, key_id: str, tenant: str | None = None) -> Key:
        """End a key for good; returns when no gateway takes it. `tenant` limits whose it may be.

        Raises NotFound, or Conflict for the last operator key that works, or works that long.
        """
        with self._changes.store.read() as transaction:
            key = _of(transaction.state, key_id, tenant)
        if key.revoked:
            self._changes.wait_current()
            return key
        with self._changes.change(who) as change:
            key = replace(_of(change.state, key_id, tenant), revoked=True)
            self._refuse_last_operator(change.state, key)
            change.state.put_key(key)
            change.book("key.revoke", key_id, tenant=key.tenant)
        self._changes.wait_in_force(change.version)
        return key

    def _now_s(self) -> int:
        return self._changes.clock.unix_us() // 1_000_000

    def _refuse_last_operator(self, state: StateTables, key: Key) -> None:
        """A key that ends, as one does beside its successor, is no other to go on with."""
        if key.role is not Role.OPERATOR:
            return
        others = [
            _ends_unix_s(one)
            for one in state.keys().values()
            if one.role is Role.OPERATOR and one.id != key.id and not one.revoked
        ]
        now_s, longest = self._now_s(), max(others, default=0)
        if _ends_unix_s(key) > max(longest, now_s):
            last = "the last operator key"
            which = last if longest <= now_s else f"{last} that does not end before"
            why = f"it is {which}; add another first (inland key add --role operator)"
            raise Conflict(f"key {key.id!r}", why)


def _ends_unix_s(key: Key) -> float:
    return inf if key.expires_unix_s is None else key.expires_unix_s


def is_live(key: Key, now_unix_s: int) -> bool:
    """Whether a key still opens anything."""
    expired = key.expires_unix_s is not None and key.expires_unix_s <= now_unix_s
    return not key.revoked and not expired


def _of(state: StateTables, key_id: str, tenant: str | None) -> Key:
    key = state.key(key_id)
    if key is None or (tenant is not None and key.tenant != tenant):
        raise NotFound(f"key {key_id!r}")
    return key


def _checked_models(models: Iterable[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(models))
    if len(names) > MAX_MODELS:
        raise BadInput("models", f"at most {MAX_MODELS}")
    for name in names:
        if not is_name(name):
            raise BadInput("models", f"{name!r} is no deployment's name")
    return names
