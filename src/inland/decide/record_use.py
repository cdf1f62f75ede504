"""May this key have a tenant's records destroyed? Decided by Cedar, as assets are."""

import json

import cedarpy

from inland.decide.asset_use import FACTORY_TENANT
from inland.decide.entities import keeper_entity, keeper_uid, key_tenant, tenant_entity, tenant_uid
from inland.decide.policy_set import PARSED_SCHEMA, RECORDS_FILE
from inland.decide.rulebook import Rulebook, Verdict, request_of, uids_of, unseen
from inland.domain.snapshot import Snapshot

DESTROY = "destroy"


def decide_destroy(snapshot: Snapshot, rulebook: Rulebook, key_id: str, tenant: str) -> Verdict:
    """No rule that is about tenants means no: one about everything does not mean this."""
    key, whose = snapshot.keys.get(key_id), snapshot.tenants.get(tenant)
    if key is None or key.revoked or whose is None:
        return unseen("no such key or tenant")
    asks = snapshot.tenants.get(key_tenant(key), FACTORY_TENANT)
    tenants = {one.id: one for one in (whose, asks)}
    document = [*map(tenant_entity, tenants.values()), keeper_entity(key)]
    entities = cedarpy.Entities.from_json_str(json.dumps(document), PARSED_SCHEMA)
    request = request_of(keeper_uid(key.id), DESTROY, tenant_uid(tenant), {})
    needed = (keeper_uid(key.id), tenant_uid(tenant), tenant_uid(key_tenant(key)))
    answer = rulebook.ask(request, entities, needed, uids_of(document))
    about = {rule.id for rule in rulebook.rules.values() if rule.about == "Tenant"}
    if answer.allowed and about & set(answer.rules):
        return Verdict(allowed=True, visible=True, rules=answer.rules, remedy="")
    remedy = rulebook.remedy(answer, f"records of {tenant}")
    if not about:
        remedy = (
            f"the policies in force permit nobody to destroy records: add {RECORDS_FILE} "
            "(inland policy defaults DIR writes it, inland policy apply DIR puts it in force)"
        )
    return Verdict(
        allowed=False, visible=True, rules=() if answer.allowed else answer.rules, remedy=remedy
    )
