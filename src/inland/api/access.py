"""Who may do what: one table, deny by default. Every route names its operation in it.

A tenant's keys see that tenant alone; whatever else exists answers them as if it did not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest

from fastapi import Request
from starlette.exceptions import HTTPException

from inland.api.control import Control
from inland.domain.api_keys import secret_sha256, split_api_key
from inland.domain.errors import NotFound
from inland.domain.plant import Key, Role
from inland.plant.keys import TENANT_ROLES, is_live

_OPERATOR = frozenset({Role.OPERATOR})
_WATCHING = frozenset({Role.OPERATOR, Role.AUDITOR})
_ADMINS = frozenset({Role.OPERATOR, Role.TENANT_ADMIN})
_READING = frozenset({Role.OPERATOR, Role.AUDITOR, Role.TENANT_ADMIN})
_KEEPING = frozenset({Role.OPERATOR, Role.TENANT_ADMIN, Role.MEMBER})
_ALL = frozenset(Role)

#: Operation → the roles that may ask for it. Which tenant's things they reach is `Caller.reach`.
ACCESS: dict[str, frozenset[Role]] = {
    "status": _WATCHING,
    "metrics": _OPERATOR,
    "vkey": _ALL,
    "tenants.list": _READING,
    "tenants.add": _OPERATOR,
    "tenants.label": _OPERATOR,
    "tenants.suspend": _OPERATOR,
    "tenants.resume": _OPERATOR,
    "keys.list": _ADMINS,
    "keys.add": _ADMINS,
    "keys.rotate": _ADMINS,
    "keys.revoke": _ADMINS,
    "models.list": _WATCHING,
    "models.show": _WATCHING,
    "models.pull": _OPERATOR,
    "models.pulled": _OPERATOR,
    "deployments.list": _WATCHING,
    "deployments.show": _WATCHING,
    "deployments.add": _OPERATOR,
    "deployments.scale": _OPERATOR,
    "deployments.remove": _OPERATOR,
    "assets.list": _KEEPING,
    "assets.show": _KEEPING,
    "assets.add": _KEEPING,
    "assets.upload": _KEEPING,
    "assets.give_up": _KEEPING,
    "assets.put_part": _KEEPING,
    "assets.finish": _KEEPING,
    "assets.share": _ADMINS,
    "assets.label": _KEEPING,
    "assets.export": _KEEPING,
    "assets.read_part": _KEEPING,
    "assets.exported": _KEEPING,
    "assets.give_up_export": _KEEPING,
    "assets.move": _ADMINS,
    "assets.moved": _ADMINS,
    "assets.erase": _ADMINS,
    "jobs.run": _OPERATOR,
    "jobs.list": _KEEPING,
    "jobs.show": _KEEPING,
    "jobs.stop": _ADMINS,
    "lines.add": _ADMINS,
    "lines.list": _KEEPING,
    "lines.show": _KEEPING,
    "lines.pause": _ADMINS,
    "lines.run": _KEEPING,
    "runs.list": _KEEPING,
    "runs.show": _KEEPING,
    "runs.logs": _KEEPING,
    "runs.refusal": _KEEPING | {Role.AUDITOR},
    "runs.resume": _KEEPING,
    "runs.cancel": _KEEPING,
    "contracts.list": _ALL,
    "contracts.report": _ALL,
    "contracts.page": _ALL,
    "contracts.add": _OPERATOR,
    "contracts.remove": _OPERATOR,
    "deployments.measure": _OPERATOR,
    "deployments.measurement": _WATCHING,
    "processes.revive": _OPERATOR,
    "releases.propose": _OPERATOR,
    "releases.list": _KEEPING | {Role.AUDITOR},
    "releases.show": _KEEPING | {Role.AUDITOR},
    "releases.statement": _KEEPING | {Role.AUDITOR},
    "releases.origin": _KEEPING | {Role.AUDITOR},
    "releases.approve": _ADMINS,
    "releases.rollback": _ADMINS,
    "feedback.give": TENANT_ROLES,
    "feedback.list": _KEEPING,
    "feedback.show": TENANT_ROLES,
    "feedback.remove": TENANT_ROLES,
    "feedback.collect": _KEEPING,
    "guards.list": _WATCHING,
    "guards.set": _OPERATOR,
    "guards.remove": _OPERATOR,
    "policies.list": _WATCHING,
    "policies.apply": _OPERATOR,
    "policies.explain": _WATCHING,
    "receipts.get": _ALL,
    "receipts.key": TENANT_ROLES,
    "records.export": _READING,
    "records.destroy": _ADMINS,
    "usage": _ALL,
    "egress.list": _WATCHING,
    "prices.list": _WATCHING,
    "prices.set": _OPERATOR,
    "files.create": TENANT_ROLES,
    "files.list": TENANT_ROLES,
    "files.show": TENANT_ROLES,
    "files.content": TENANT_ROLES,
    "files.delete": frozenset({Role.TENANT_ADMIN}),
    "batches.create": TENANT_ROLES,
    "batches.list": TENANT_ROLES,
    "batches.show": TENANT_ROLES,
    "batches.cancel": TENANT_ROLES,
    "fine_tuning.create": frozenset({Role.TENANT_ADMIN}),
    "fine_tuning.list": TENANT_ROLES,
    "fine_tuning.show": TENANT_ROLES,
    "fine_tuning.events": TENANT_ROLES,
    "fine_tuning.checkpoints": TENANT_ROLES,
    "fine_tuning.cancel": TENANT_ROLES,
    "budgets.list": _READING,
    "budgets.set": _OPERATOR,
    "budgets.remove": _OPERATOR,
    "invoices.get": _READING,
    "invoices.page": _READING,
    "log.rotate": _OPERATOR,
    "vault.status": _WATCHING,
    "vault.check": _OPERATOR,
    "vault.withdraw": _ADMINS,
    "vault.give-back": _ADMINS,
    "vault.rotate": _OPERATOR,
}
#: Operations by which a suspended tenant's keys would change something.
_CHANGING = frozenset(
    {"keys.add", "keys.rotate", "keys.revoke", "records.destroy", "lines.add", "lines.pause"}
    | {"lines.run", "runs.resume", "releases.approve", "releases.rollback"}
    | {"feedback.give", "feedback.remove", "feedback.collect"}
    | {"files.create", "files.content", "files.delete", "batches.create", "batches.cancel"}
    | {"fine_tuning.create"}
    | {
        one
        for one in ACCESS
        if one.startswith("assets.") and one not in {"assets.list", "assets.show"}
    }
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds `key`."""

    key: Key

    @property
    def name(self) -> str:
        """As records of changes say it."""
        return self.key.id

    @property
    def tenant(self) -> str | None:
        """The one tenant it may see; None sees all."""
        return self.key.tenant

    def reach(self, tenant: str | None) -> str | None:
        """The tenant that a call about `tenant` (None: whichever) is about for this caller.

        Raises NotFound for one it may not see.
        """
        if self.tenant is None:
            return tenant
        if tenant not in {None, self.tenant}:
            raise NotFound(f"tenant {tenant!r}")
        return self.tenant


def caller_for(operation: str) -> Callable[[Request], Caller]:
    """A dependency that lets in whom the table lets in. Raises 401 or 403."""
    roles = ACCESS[operation]

    def let_in(request: Request) -> Caller:
        control: Control = request.app.state.control
        key = authenticated(control, request.headers.get("authorization", ""))
        if key is None:
            why = "give a valid key: Authorization: Bearer inl_..."
            raise HTTPException(401, why, {"www-authenticate": "Bearer"})
        if key.role not in roles or (operation in _CHANGING and _is_suspended(control, key)):
            raise HTTPException(403, f"{operation} takes another key: {_names(operation)}")
        request.state.key_id = key.id
        return Caller(key)

    let_in.operation = operation  # type: ignore[attr-defined]  # the test of the table reads it
    return let_in


def authenticated(control: Control, authorization: str) -> Key | None:
    """The live key that a header proves; None otherwise. Constant time in the secret."""
    scheme, _, text = authorization.partition(" ")
    parts = split_api_key(text.strip()) if scheme.lower() == "bearer" else None
    if parts is None:
        return None
    key = control.keys.find(parts[0])
    kept = key.secret_sha256 if key is not None else "0" * 64
    proved = compare_digest(secret_sha256(parts[1]), kept)
    if key is None or not proved or not is_live(key, control.clock.unix_us() // 1_000_000):
        return None
    return key


def _is_suspended(control: Control, key: Key) -> bool:
    if key.tenant is None:
        return False
    with control.store.read() as transaction:
        tenant = transaction.state.tenant(key.tenant)
    return tenant is None or tenant.suspended


def _names(operation: str) -> str:
    return " or ".join(sorted(role.value for role in ACCESS[operation]))
