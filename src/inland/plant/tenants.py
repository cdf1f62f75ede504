"""Tenants: added, suspended, resumed. Each has a record key before it has anything else."""

from collections.abc import Iterable
from dataclasses import replace

from inland.domain.errors import BadInput, Conflict, NotFound
from inland.domain.ids import is_name
from inland.domain.labels import FACTORY, Classification, Label, Purpose
from inland.domain.places import Place
from inland.domain.plant import Tenant
from inland.plant.changes import FACTORY_FILE, Change, Changes
from inland.plant.labels import checked_codes, checked_label
from inland.ports.state import StateTables

RECORD_KEY_BYTES = 32
#: Names that mean something else where a tenant's could stand.
_RESERVED = frozenset({FACTORY, "operator", "auditor"})


class Tenants:
    """The tenants of one factory at `site`."""

    def __init__(self, changes: Changes, site: Place, most: int) -> None:
        """`most`: how many there may be."""
        self._changes = changes
        self._site = site
        self._most = most

    def all(self) -> list[Tenant]:
        """Every tenant, by name."""
        with self._changes.store.read() as transaction:
            return list(transaction.state.tenants().values())

    def add(
        self,
        who: str,
        name: str,
        jurisdictions: Iterable[str] | None = None,
        classification: str = Classification.INTERNAL,
        purposes: Iterable[str] = (Purpose.SERVE,),
        storage: Iterable[str] | None = None,
    ) -> Tenant:
        """A new tenant; its label covers the site unless `jurisdictions` are given, and what is
        its own is stored where it may be processed unless `storage` says where else.

        Raises BadInput, or Conflict when the name is taken.
        """
        check_tenant_name(name)
        if jurisdictions is None:
            jurisdictions = (self._site.stands, self._site.operated)
        label = checked_label(name, jurisdictions, classification, purposes)
        if storage is not None:
            label = replace(label, storage=checked_codes("storage", storage))
        with self._changes.store.read() as transaction:
            _refuse_taken(transaction.state, name)
        keep_record_key(self._changes, name)
        with self._changes.change(who) as change:
            _refuse_taken(change.state, name)
            refuse_beyond(self._most, len(change.state.tenants()), "tenants")
            tenant = Tenant(name, label)
            put_tenant(change, tenant)
        return tenant

    def label(self, who: str, name: str, purposes: Iterable[str]) -> Tenant:
        """Let what a tenant sends be used for these purposes and no other; returns when every
        gateway decides so.

        Raises NotFound, BadInput, or Conflict where the factory's file says what its label is.
        """
        with self._changes.change(who) as change:
            tenant = _of(change.state, name)
            if tenant.declared:
                why = f"{FACTORY_FILE} declares it: change its purposes there, then inland down, up"
                raise Conflict(f"tenant {name!r}", why)
            codes = tenant.label.jurisdictions
            checked = checked_label(name, codes, tenant.label.classification, purposes)
            if not checked.purposes:
                raise BadInput("purposes", "give at least one: inland tenant suspend refuses all")
            tenant = replace(tenant, label=replace(tenant.label, purposes=checked.purposes))
            change.state.put_tenant(tenant)
            change.book("tenant.label", name, **label_details(tenant.label))
        self._changes.wait_in_force(change.version)
        return tenant

    def suspend(self, who: str, name: str) -> Tenant:
        """Refuse everything of a tenant; returns when no gateway serves it. Raises NotFound."""
        tenant = found_tenant(self._changes, name)
        if tenant.suspended:
            self._changes.wait_current()
            return tenant
        with self._changes.change(who) as change:
            tenant = replace(_of(change.state, name), suspended=True)
            change.state.put_tenant(tenant)
            change.book("tenant.suspend", name)
        self._changes.wait_in_force(change.version)
        return tenant

    def resume(self, who: str, name: str) -> Tenant:
        """Serve a suspended tenant again. Raises NotFound."""
        if not found_tenant(self._changes, name).suspended:
            return found_tenant(self._changes, name)
        with self._changes.change(who) as change:
            tenant = replace(_of(change.state, name), suspended=False)
            change.state.put_tenant(tenant)
            change.book("tenant.resume", name)
        return tenant


def refuse_beyond(most: int, there: int, noun: str) -> None:
    """Raises Conflict where one more `noun` would be more than the operator's limit."""
    if there >= most:
        why = f"there are {there}, as many as limits.{noun} in {FACTORY_FILE} allows"
        raise Conflict(noun, why)


def check_tenant_name(name: str) -> None:
    """Raises BadInput where `name` cannot be a tenant's."""
    if not is_name(name) or name in _RESERVED:
        raise BadInput("tenant", f"{name!r}: use a-z, 0-9, '.', '_' and '-', at most 63")


def keep_record_key(changes: Changes, tenant: str) -> None:
    """Make sure, before the tenant exists, that what is recorded of it can be opened by it."""
    changes.secrets.keep_record_key(tenant, changes.entropy(RECORD_KEY_BYTES))


def put_tenant(change: Change, tenant: Tenant) -> None:
    """Write a new tenant and book it."""
    change.state.put_tenant(tenant)
    change.book("tenant.add", tenant.id, declared=tenant.declared, **label_details(tenant.label))


def label_details(label: Label) -> dict[str, object]:
    """A label as records say it."""
    return {
        "jurisdictions": list(label.jurisdictions),
        "storage": list(label.stored_in),
        "classification": label.classification.value,
        "purposes": [purpose.value for purpose in label.purposes],
    }


def found_tenant(changes: Changes, name: str) -> Tenant:
    """The tenant of that name. Raises NotFound."""
    with changes.store.read() as transaction:
        return _of(transaction.state, name)


def _of(state: StateTables, name: str) -> Tenant:
    tenant = state.tenant(name)
    if tenant is None:
        raise NotFound(f"tenant {name!r}")
    return tenant


def _refuse_taken(state: StateTables, name: str) -> None:
    taken = state.tenant(name)
    if taken is not None:
        where = f"; {FACTORY_FILE} declares it" if taken.declared else ""
        raise Conflict(f"tenant {name!r}", f"it exists{where}")
