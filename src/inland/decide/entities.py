"""A snapshot as Cedar sees it: entities of the schema, and nothing that a policy may not read."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from inland.decide.policy_set import endpoint_name
from inland.domain.assets import Asset
from inland.domain.labels import FACTORY, Label
from inland.domain.places import Place, covering
from inland.domain.plant import Deployment, Key, Model, Tenant
from inland.domain.snapshot import Snapshot

#: (entity type, id)
Uid = tuple[str, str]
#: One entity of Cedar's JSON format.
Entity = dict[str, Any]

FACTORY_UID: Uid = ("Factory", "factory")
_DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432}


def reference(uid: Uid) -> dict[str, str]:
    """A uid as Cedar's JSON writes it."""
    return {"type": uid[0], "id": uid[1]}


def uid_of(entity: Entity) -> Uid:
    """The uid of an entity of Cedar's JSON."""
    return (entity["uid"]["type"], entity["uid"]["id"])


def tenant_uid(tenant: str) -> Uid:
    """The uid of a tenant."""
    return ("Tenant", tenant)


def key_uid(key: str) -> Uid:
    """The uid of a key."""
    return ("Key", key)


def keeper_uid(key: str) -> Uid:
    """The uid of a key that asks for something about all of a tenant."""
    return ("Keeper", key)


def key_tenant(key: Key) -> str:
    """Whose key it is: operators and auditors are the factory's own."""
    return FACTORY if key.tenant is None else key.tenant


def asset_uid(asset: str) -> Uid:
    """The uid of an asset."""
    return ("Asset", asset)


def model_uid(model: str) -> Uid:
    """The uid of a model."""
    return ("Model", model)


def place_uid(place: Place) -> Uid:
    """The uid of a place."""
    return ("Place", place.id)


def endpoint_uid(name: str) -> Uid:
    """The uid of a server named `host:port`."""
    return ("Endpoint", name)


def action_uid(action: str) -> Uid:
    """The uid of an action."""
    return ("Action", action)


def entities_of(snapshot: Snapshot, named_endpoints: Iterable[str]) -> list[Entity]:
    """All entities of a snapshot. A place id that stands for two places is left out: it denies."""
    entities = [_entity(FACTORY_UID, {})]
    entities += [tenant_entity(tenant) for tenant in snapshot.tenants.values()]
    entities += [key_entity(key) for key in snapshot.keys.values() if _is_usable(key)]
    entities += [model_entity(model) for model in snapshot.models.values()]
    places: dict[str, set[Place]] = {}
    stand = [deployment.place for deployment in snapshot.deployments.values()]
    stand += [replica.place for replica in snapshot.replicas.values()]
    for place in stand:
        places.setdefault(place.id, set()).add(place)
    entities += [place_entity(one) for same in places.values() if len(same) == 1 for one in same]
    return entities + _endpoints(snapshot.deployments.values(), named_endpoints)


def tenant_entity(tenant: Tenant) -> Entity:
    """A tenant with its label. Rules from before keys could be withdrawn read `suspended` alone."""
    attrs = {
        "name": tenant.id,
        "suspended": tenant.suspended or tenant.withdrawn,
        "withdrawn": tenant.withdrawn,
        "stored": sorted(tenant.label.stored_in),
        **_label(tenant.label),
    }
    return _entity(tenant_uid(tenant.id), attrs)


def key_entity(key: Key) -> Entity:
    """A key of a tenant, or of the factory's own."""
    tenant = reference(tenant_uid(key_tenant(key)))
    attrs = {
        "tenant": {"__entity": tenant},
        "role": key.role.value,
        "limited": bool(key.models),
        "models": sorted(key.models),
    }
    return _entity(key_uid(key.id), attrs, [tenant])


def keeper_entity(key: Key) -> Entity:
    """A key as what is done with all of a tenant knows it."""
    attrs = {
        "tenant": {"__entity": reference(tenant_uid(key_tenant(key)))},
        "role": key.role.value,
        "limited": bool(key.models),
    }
    return _entity(keeper_uid(key.id), attrs)


def model_entity(model: Model) -> Entity:
    """A model with its label."""
    shared = sorted(model.shared_with)
    attrs = {"owner": model.label.owner, "shared_with": shared, **_label(model.label)}
    return _entity(model_uid(model.id), attrs)


def asset_entity(asset: Asset) -> Entity:
    """An asset with its label."""
    attrs = {
        "tenant": {"__entity": reference(tenant_uid(asset.tenant))},
        "kind": asset.kind.value,
        "state": asset.state.value,
        "owner": asset.label.owner,
        "shared_with": sorted(asset.shared_with),
        "stored": sorted(asset.label.stored_in),
        "derived_purposes": sorted(purpose.value for purpose in asset.label.derived_purposes),
        **_label(asset.label),
    }
    return _entity(asset_uid(asset.id), attrs)


def place_entity(place: Place) -> Entity:
    """A place with every code that covers its two jurisdictions."""
    attrs = {
        "stands": place.stands,
        "operated": place.operated,
        "stands_in": sorted(covering(place.stands)),
        "operated_in": sorted(covering(place.operated)),
        "known": place.known.value,
    }
    return _entity(place_uid(place), attrs)


def url_endpoint(url: str) -> tuple[str, int] | None:
    """Host and port of an http, https or postgresql URL; None where it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.hostname, port) if parts.hostname else None


def _is_usable(key: Key) -> bool:
    return key.tenant is not None and not key.revoked


def _endpoints(deployments: Iterable[Deployment], named: Iterable[str]) -> list[Entity]:
    declared = {
        endpoint_name(*found)
        for deployment in deployments
        if deployment.url and (found := url_endpoint(deployment.url))
    }
    return [_endpoint(name, declared=name in declared) for name in sorted(declared | set(named))]


def _endpoint(name: str, *, declared: bool) -> Entity:
    host, _, port = name.rpartition(":")
    number = int(port) if port.isascii() and port.isdigit() else 0
    attrs = {"host": host, "port": number, "declared": declared}
    return _entity(endpoint_uid(name), attrs)


def _label(label: Label) -> dict[str, Any]:
    return {
        "jurisdictions": sorted(label.jurisdictions),
        "purposes": sorted(purpose.value for purpose in label.purposes),
        "classification": label.classification.value,
    }


def _entity(uid: Uid, attrs: dict[str, Any], parents: list[dict[str, str]] | None = None) -> Entity:
    return {"uid": reference(uid), "attrs": attrs, "parents": parents or []}
