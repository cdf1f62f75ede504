"""What factory.toml declares, made true at start: marked as declared, changed nowhere else."""

from dataclasses import dataclass, field, replace

from inland.domain.guards import Guard
from inland.domain.places import Place
from inland.domain.plant import Deployment, Key, Model, Tenant
from inland.plant.changes import FACTORY_FILE, Change, Changes
from inland.plant.deployments import drop_deployment, put_deployment, refuse_private_literal
from inland.plant.guards import declare_guards
from inland.plant.models import put_model
from inland.plant.policies import permit_endpoint, permit_url
from inland.plant.tenants import check_tenant_name, keep_record_key, label_details, put_tenant
from inland.ports.policies import PolicyFolder


@dataclass(frozen=True, slots=True)
class Declared:
    """All that a factory's file declares. `upstream_keys`: deployment → bearer token.

    `permitted_endpoints`: deployments whose private address the operator allowed there.
    `permitted_urls`: servers that the factory itself needs (keys, blobs).
    """

    site: Place
    tenants: tuple[Tenant, ...] = ()
    models: tuple[Model, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    keys: tuple[Key, ...] = ()
    upstream_keys: dict[str, str] = field(default_factory=dict, repr=False)
    permitted_endpoints: tuple[str, ...] = ()
    guards: tuple[Guard, ...] = ()
    permitted_urls: tuple[str, ...] = ()


def reconcile(changes: Changes, declared: Declared, folder: PolicyFolder) -> None:
    """Make the state agree with the file, in one change, or in none where it does already.

    What is no longer declared: deployments and guards go; tenants, keys and models stay, no longer
    marked. A tenant suspended or a key revoked or rotated by command stays so. Raises BadInput,
    Conflict or Denied.
    """
    for tenant in declared.tenants:
        check_tenant_name(tenant.id)
        keep_record_key(changes, tenant.id)
    for name, token in declared.upstream_keys.items():
        changes.secrets.keep_upstream_key(name, token)
    with changes.change(FACTORY_FILE) as change:
        before = change.state.deployments().keys()
        _tenants(change, declared.tenants)
        _models(change, declared.models)
        written = _deployments(change, declared)
        for url in declared.permitted_urls:
            written |= permit_url(change, url)
        _keys(change, declared.keys)
        declare_guards(change, declared.guards)
        gone = before - change.state.deployments().keys()
    for name in gone:
        changes.secrets.forget_upstream_key(name)
    folder.write(written, remove_others=False)


def _tenants(change: Change, declared: tuple[Tenant, ...]) -> None:
    there = change.state.tenants()
    for tenant in declared:
        before = there.pop(tenant.id, None)
        if before is None:
            put_tenant(change, tenant)
            continue
        suspended = tenant.suspended or before.suspended
        wanted = replace(tenant, suspended=suspended, withdrawn=before.withdrawn)
        if wanted != before:
            change.state.put_tenant(wanted)
            details = {"suspended": wanted.suspended, **label_details(wanted.label)}
            change.book("tenant.change", tenant.id, declared=True, **details)
    for tenant in there.values():
        if tenant.declared:
            change.state.put_tenant(replace(tenant, declared=False))
            change.book("tenant.undeclare", tenant.id)


def _models(change: Change, declared: tuple[Model, ...]) -> None:
    there = change.state.models()
    for model in declared:
        if there.pop(model.id, None) != model:
            put_model(change, model)
    for model in there.values():
        if model.declared:
            change.state.put_model(replace(model, declared=False))
            change.book("model.undeclare", model.id)


def _deployments(change: Change, declared: Declared) -> dict[str, str]:
    """Returns the policy files that rules for permitted endpoints went into."""
    there = change.state.deployments()
    written: dict[str, str] = {}
    for deployment in declared.deployments:
        if deployment.name in declared.permitted_endpoints:
            written |= permit_endpoint(change, deployment)
        if there.pop(deployment.name, None) != deployment:
            put_deployment(change, deployment)
            refuse_private_literal(change, deployment)
    for deployment in there.values():
        if deployment.declared:
            drop_deployment(change, deployment.name)
    return written


def _keys(change: Change, declared: tuple[Key, ...]) -> None:
    there = change.state.keys()
    for key in declared:
        before = there.pop(key.id, None)
        wanted = replace(key, declared=True)
        if before is not None:
            wanted = replace(wanted, revoked=before.revoked)
            if before.successor is not None:
                ends, successor = before.expires_unix_s, before.successor
                wanted = replace(wanted, expires_unix_s=ends, successor=successor)
        if wanted != before:
            change.state.put_key(wanted)
            change.book("key.add", key.id, tenant=key.tenant, role=key.role.value, declared=True)
    for key in there.values():
        if key.declared:
            change.state.put_key(replace(key, declared=False))
            change.book("key.undeclare", key.id, tenant=key.tenant)
