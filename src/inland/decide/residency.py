"""Residency: may this key use this model, at this place, for this purpose? Decided by Cedar.

Fails closed: no match means no, any error in Cedar's diagnostics means no, and the key, its tenant,
the model and the place must all be in the snapshot. A snapshot that cannot be parsed denies all.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cedarpy

from inland.decide.entities import (
    FACTORY_UID,
    Entity,
    Uid,
    action_uid,
    endpoint_uid,
    entities_of,
    key_entity,
    key_uid,
    model_uid,
    place_entity,
    place_uid,
    reference,
    tenant_uid,
    uid_of,
)
from inland.decide.policy_set import PARSED_SCHEMA, Rule, endpoint_name, rules
from inland.domain.labels import EVERYONE, Purpose
from inland.domain.places import Place
from inland.domain.plant import Key, Model, Role, Tenant
from inland.domain.snapshot import Snapshot

#: The principal that stands for a whole tenant in `explain`; no key's id holds a slash.
_ANY_KEY = "tenant/"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy engine said, and what would make it say yes.

    `visible`: the caller may know that the model exists; where false every answer is the same 404.
    `rules`: the ids that decided, sorted; empty where none matched. `remedy` is for people; empty
    when allowed. `places`: the ids of the places allowed.
    """

    allowed: bool
    visible: bool
    rules: tuple[str, ...]
    remedy: str
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Answer:
    allowed: bool
    rules: tuple[str, ...]
    errors: tuple[str, ...]


class Residency:
    """The decisions of one snapshot, with its policies and entities parsed once. Thread-safe."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._broken: str | None = None
        self._rules: dict[str, Rule] = {}
        self._present: frozenset[Uid] = frozenset()
        document = entities_of(snapshot, ())
        try:
            self._rules = rules(snapshot.policy_text)
            named = {rule.endpoint for rule in self._rules.values() if rule.endpoint}
            document = entities_of(snapshot, named)
            self._policies = cedarpy.PolicySet.from_str(snapshot.policy_text)
            self._entities = cedarpy.Entities.from_json_str(json.dumps(document), PARSED_SCHEMA)
        except ValueError as error:
            self._broken = str(error)
            return
        self._present = frozenset(uid_of(one) for one in document)

    def decide_serve(self, key_id: str, deployment: str) -> Verdict:
        """May `key_id` have `deployment` answer it? `places`: where, of its replicas' places."""
        found = self._snapshot.deployments.get(deployment)
        key = self._snapshot.keys.get(key_id)
        if found is None or key is None:
            return _unseen("no such deployment or key")
        if not self._may_know(key, found.model):  # asking would take time that tells it is there
            return _unseen("not the tenant's, and not shared with it")
        places = {found.place.id: found.place} | {
            replica.place.id: replica.place
            for replica in self._snapshot.replicas.values()
            if replica.deployment == deployment
        }
        verdicts = [
            self._decide(key, Purpose.SERVE, found.model, place, deployment)
            for _, place in sorted(places.items())
        ]
        allowed = [verdict for verdict in verdicts if verdict.allowed]
        if not allowed:
            return verdicts[0]
        where = tuple(place for verdict in allowed for place in verdict.places)
        return replace(allowed[0], places=where)

    def decide(
        self,
        key_or_tenant: str,
        action: Purpose,
        model: str,
        place: Place,
        called: str | None = None,
    ) -> Verdict:
        """May a key, or any unlimited key of a tenant, do `action` with `model` at `place`?

        `called`: the name in `/v1`, where that is not the model's own. A place that is not in the
        snapshot is decided as if it were: that is what `explain` asks.
        """
        key = self._snapshot.keys.get(key_or_tenant)
        added = []
        if key is None and key_or_tenant in self._snapshot.tenants:
            key = Key(_ANY_KEY + key_or_tenant, key_or_tenant, Role.MEMBER, "")
            added.append(key_entity(key))
        if key is None:
            return _unseen("no such key or tenant")
        if place_uid(place) not in self._present:
            added.append(place_entity(place))
        return self._decide(key, action, model, place, called or model, added)

    def decide_connect(self, host: str, port: int, *, private: bool) -> Verdict:
        """May the factory connect to `host`? `private`: its address is inside a network.

        Private addresses take a rule whose scope names the endpoint, whatever else would permit it.
        """
        name = endpoint_name(host, port)
        request = _request(FACTORY_UID, "connect", endpoint_uid(name), {"private": private})
        answer = self._ask(request, (FACTORY_UID, endpoint_uid(name)))
        named = [one for one in answer.rules if one in self._rules and self._rules[one].endpoint]
        if answer.allowed and (named or not private):
            return Verdict(allowed=True, visible=True, rules=answer.rules, remedy="")
        add = f'add a rule that permits resource == Endpoint::"{name}" (inland policy apply)'
        if not private and not answer.rules:
            add = f"declare a deployment at {name}, or {add}"
        decided = () if answer.allowed else answer.rules
        return Verdict(allowed=False, visible=True, rules=decided, remedy=add)

    def _may_know(self, key: Key, model_id: str) -> bool:
        model = self._snapshot.models.get(model_id)
        tenant = self._snapshot.tenants.get(key.tenant) if key.tenant is not None else None
        return model is not None and tenant is not None and is_visible(tenant, model)

    def _decide(
        self,
        key: Key,
        action: Purpose,
        model_id: str,
        place: Place,
        called: str,
        added: Sequence[Entity] = (),
    ) -> Verdict:
        model = self._snapshot.models.get(model_id)
        tenant = self._snapshot.tenants.get(key.tenant) if key.tenant is not None else None
        if model is None or tenant is None:
            why = "no such model" if model is None else "operators and auditors use no models"
            return _unseen(why)
        context = {
            "place": {"__entity": reference(place_uid(place))},
            "purpose": action.value,
            "model": called,
        }
        request = _request(key_uid(key.id), action.value, model_uid(model_id), context)
        needed = (key_uid(key.id), tenant_uid(tenant.id), model_uid(model_id), place_uid(place))
        asked = self._ask(request, needed, added)
        visible = is_visible(tenant, model)
        remedy = "" if asked.allowed else self._remedy(asked, tenant, model, place)
        places = (place.id,) if asked.allowed else ()
        return Verdict(asked.allowed, visible, asked.rules, remedy, places)

    def _ask(
        self, request: dict[str, Any], needed: tuple[Uid, ...], added: Sequence[Entity] = ()
    ) -> _Answer:
        if self._broken is not None:
            return _refused(f"the policy set cannot be used: {self._broken}")
        present = self._present | {uid_of(one) for one in added}
        for kind, name in needed:
            if (kind, name) not in present:
                return _refused(f'{kind}::"{name}" is not in the snapshot')
        entities = self._entities
        if added:
            entities = entities.with_added_json_str(json.dumps(added), PARSED_SCHEMA)
        try:
            result = cedarpy.is_authorized(request, self._policies, entities)
        except Exception as error:  # noqa: BLE001 - whatever fails, no decision means no
            return _refused(f"the question could not be asked: {error}")
        named = result.diagnostics.id_annotations_by_reason
        errors = tuple(str(one) for one in result.diagnostics.errors)
        decided = tuple(sorted(named.get(one, one) for one in result.diagnostics.reasons))
        return _Answer(result.allowed and not errors, decided, errors)

    def _remedy(self, answer: _Answer, tenant: Tenant, model: Model, place: Place) -> str:
        if answer.errors:
            return f"the decision failed, which denies: {answer.errors[0]}"
        if not answer.rules:
            return "no rule permits it: add a permit (inland policy apply)"
        says = [
            rule.remedy or f"rule {rule.id} must not match"
            for rule in (self._rules.get(one) for one in answer.rules)
            if rule is not None
        ]
        return f"{'; '.join(says)} ({_facts(tenant, model, place)})"


def _unseen(why: str) -> Verdict:
    return Verdict(allowed=False, visible=False, rules=(), remedy=why)


def _refused(error: str) -> _Answer:
    return _Answer(allowed=False, rules=(), errors=(error,))


def _request(principal: Uid, action: str, resource: Uid, context: dict[str, Any]) -> dict[str, Any]:
    return {
        "principal": reference(principal),
        "action": reference(action_uid(action)),
        "resource": reference(resource),
        "context": context,
    }


def is_visible(tenant: Tenant, model: Model) -> bool:
    """Whether `tenant` may know of `model`: it owns it, or it is shared with it or with all."""
    shared = model.shared_with
    return model.label.owner == tenant.id or EVERYONE in shared or tenant.id in shared


def _facts(tenant: Tenant, model: Model, place: Place) -> str:
    return (
        f"place {place.id} stands in {place.stands}, operated from {place.operated}; "
        f"label of tenant {tenant.id}: {' '.join(tenant.label.jurisdictions) or 'none'}; "
        f"of model {model.id}: {' '.join(model.label.jurisdictions) or 'none'}"
    )
