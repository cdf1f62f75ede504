"""Residency: may this key use this model or this asset, at this place, for this purpose?

Decided by Cedar. Fails closed: no match means no, any error in Cedar's diagnostics means no, and
the key, its tenant, the model and the place must all be in the snapshot. A snapshot that cannot be
parsed denies all.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cedarpy

from inland.decide.asset_use import AssetUse, Question
from inland.decide.entities import (
    FACTORY_UID,
    Entity,
    Uid,
    endpoint_uid,
    entities_of,
    key_entity,
    key_uid,
    model_uid,
    place_entity,
    place_uid,
    reference,
    tenant_uid,
)
from inland.decide.policy_set import PARSED_SCHEMA, endpoint_name
from inland.decide.record_use import decide_destroy
from inland.decide.rulebook import (
    Answer,
    Verdict,
    refused,
    request_of,
    rulebook_of,
    uids_of,
    unseen,
)
from inland.domain.assets import Action, Asset
from inland.domain.labels import EVERYONE, Purpose
from inland.domain.places import Place
from inland.domain.plant import Deployment, Key, Model, Role, Tenant
from inland.domain.releases import Serving
from inland.domain.snapshot import Snapshot

#: The principal that stands for a whole tenant in `explain`; no key's id holds a slash.
_ANY_KEY = "tenant/"


class Residency:
    """The decisions of one snapshot, with its policies and entities parsed once. Thread-safe."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._rulebook = rulebook_of(snapshot.policy_text)
        self._assets = AssetUse(snapshot, self._rulebook)
        self._broken: str | None = None
        named = {rule.endpoint for rule in self._rulebook.rules.values() if rule.endpoint}
        document = entities_of(snapshot, named)
        self._present = uids_of(document)
        try:
            self._entities = cedarpy.Entities.from_json_str(json.dumps(document), PARSED_SCHEMA)
        except ValueError as error:
            self._broken = str(error)

    def decide_serve(self, key_id: str, deployment: str) -> Verdict:
        """May `key_id` have `deployment` answer it? `places`: where, of its replicas' places."""
        found = self._snapshot.deployments.get(deployment)
        key = self._snapshot.keys.get(key_id)
        if found is None or key is None:
            return unseen("no such deployment or key")
        if not self._may_know(key, found.model):  # asking would take time that tells it is there
            return unseen("not the tenant's, and not shared with it")
        return self._served(key, found, found.model, deployment)

    def _served(self, key: Key, deployment: Deployment, model: str, called: str) -> Verdict:
        """May `key` be served `model`, under that name, where the deployment is?"""
        places = {deployment.place.id: deployment.place} | {
            replica.place.id: replica.place
            for replica in self._snapshot.replicas.values()
            if replica.deployment == deployment.name
        }
        verdicts = [
            self._decide(key, Purpose.SERVE, model, place, called)
            for _, place in sorted(places.items())
        ]
        allowed = [verdict for verdict in verdicts if verdict.allowed]
        if not allowed:
            return verdicts[0]
        where = tuple(place for verdict in allowed for place in verdict.places)
        return replace(allowed[0], places=where)

    def decide_release(self, key_id: str, serving: Serving) -> Verdict:
        """May `key_id` have a release answer it? Both what it stands on and its adapter are decided
        on, under the release's name. `places`: where both may be."""
        found = self._snapshot.deployments.get(serving.deployment)
        key = self._snapshot.keys.get(key_id)
        if found is None or key is None or key.tenant != serving.tenant:
            return unseen("no such release or key")
        if serving.key not in {"", key.id}:
            return unseen("a run's candidate is asked for by its run alone")
        if not (self._may_know(key, found.model) and self._may_know(key, serving.adapter)):
            return unseen("not the tenant's, and not shared with it")
        base = self._served(key, found, found.model, serving.name)
        adapter = self._served(key, found, serving.adapter, serving.name)
        if not (base.allowed and adapter.allowed):
            return adapter if base.allowed else base
        places = tuple(place for place in base.places if place in adapter.places)
        rules = tuple(dict.fromkeys((*base.rules, *adapter.rules)))
        return replace(base, allowed=bool(places), rules=rules, places=places)

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
        key = self._key_of(key_or_tenant)
        if key is None:
            return unseen("no such key or tenant")
        added = [] if key.id in self._snapshot.keys else [key_entity(key)]
        if place_uid(place) not in self._present:
            added.append(place_entity(place))
        return self._decide(key, action, model, place, called or model, added)

    def decide_asset(
        self,
        key_id: str,
        action: Action,
        asset: Asset,
        place: Place,
        destination: Place | None = None,
        run: str = "",
    ) -> Verdict:
        """May a key, or `run` acting for it, do `action` with `asset` at `place`?

        `asset` as it is stored now: it is not in the snapshot, and what is decided is what it says.
        `place`: where its content lies, or will, and is opened. `destination`: where `move` stores
        it and `export` takes it, denied without. One verdict is kept for each question.
        """
        question = Question(action, asset, place, destination, run)
        return self._assets.decide(key_id, question)

    def explain_asset(
        self,
        key_or_tenant: str,
        action: Action,
        asset: Asset,
        place: Place,
        destination: Place | None = None,
        run: str = "",
    ) -> Verdict:
        """As `decide_asset`, of any unlimited key of a tenant too, and with the rules that decided
        also where the key may not know of the asset: for those who may know everything."""
        key = self._key_of(key_or_tenant)
        if key is None:
            return unseen("no such key or tenant")
        return self._assets.explain(key, Question(action, asset, place, destination, run))

    def decide_destroy(self, key_id: str, tenant: str) -> Verdict:
        """May `key_id` have records of `tenant` destroyed?"""
        return decide_destroy(self._snapshot, self._rulebook, key_id, tenant)

    def decide_connect(self, host: str, port: int, *, private: bool) -> Verdict:
        """May the factory connect to `host`? `private`: its address is inside a network.

        Private addresses take a rule whose scope names the endpoint, whatever else would permit it.
        """
        name = endpoint_name(host, port)
        request = request_of(FACTORY_UID, "connect", endpoint_uid(name), {"private": private})
        answer = self._ask(request, (FACTORY_UID, endpoint_uid(name)))
        decided = [self._rulebook.rules[one] for one in answer.rules if one in self._rulebook.rules]
        is_named = any(rule.endpoint for rule in decided)
        if answer.allowed and (is_named or not private):
            return Verdict(allowed=True, visible=True, rules=answer.rules, remedy="")
        add = f'add a rule that permits resource == Endpoint::"{name}" (inland policy apply)'
        if not private and not answer.rules:
            add = f"declare a deployment at {name}, or {add}"
        ids = () if answer.allowed else answer.rules
        return Verdict(allowed=False, visible=True, rules=ids, remedy=add)

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
            return unseen(why)
        context = {
            "place": {"__entity": reference(place_uid(place))},
            "purpose": action.value,
            "model": called,
        }
        request = request_of(key_uid(key.id), action.value, model_uid(model_id), context)
        needed = (key_uid(key.id), tenant_uid(tenant.id), model_uid(model_id), place_uid(place))
        asked = self._ask(request, needed, added)
        visible = is_visible(tenant, model)
        facts = _facts(tenant, model, place)
        remedy = "" if asked.allowed else self._rulebook.remedy(asked, facts)
        places = (place.id,) if asked.allowed else ()
        return Verdict(asked.allowed, visible, asked.rules, remedy, places)

    def _ask(
        self, request: dict[str, Any], needed: tuple[Uid, ...], added: Sequence[Entity] = ()
    ) -> Answer:
        if self._broken is not None:
            return refused(f"the snapshot cannot be used: {self._broken}")
        entities = self._entities
        if added:
            entities = entities.with_added_json_str(json.dumps(added), PARSED_SCHEMA)
        return self._rulebook.ask(request, entities, needed, self._present | uids_of(added))

    def _key_of(self, key_or_tenant: str) -> Key | None:
        """The key, or one that stands for all unlimited ones of the tenant."""
        key = self._snapshot.keys.get(key_or_tenant)
        if key is None and key_or_tenant in self._snapshot.tenants:
            return Key(_ANY_KEY + key_or_tenant, key_or_tenant, Role.MEMBER, "")
        return key


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
