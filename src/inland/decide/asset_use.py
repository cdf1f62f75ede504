"""May this key do this with this asset, here, and to there? Decided by Cedar, as models are.

There are too many assets for a snapshot: each comes with its question, and only what the question
is about is handed to Cedar, so a decision costs the same however large the factory is.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cedarpy

from inland.decide.entities import (
    Entity,
    asset_entity,
    asset_uid,
    key_entity,
    key_tenant,
    key_uid,
    place_entity,
    place_uid,
    reference,
    tenant_entity,
    tenant_uid,
)
from inland.decide.policy_set import ASSETS_FILE, PARSED_SCHEMA
from inland.decide.rulebook import (
    Answer,
    Rulebook,
    Verdict,
    refused,
    request_of,
    uids_of,
    unseen,
)
from inland.domain.assets import Action, Asset
from inland.domain.labels import EVERYONE, FACTORY, Purpose, public_label
from inland.domain.places import Place
from inland.domain.plant import Key, Role, Tenant
from inland.domain.snapshot import Snapshot

#: Verdicts of one snapshot that are kept: the last ones asked for.
KEPT_VERDICTS = 1024
#: What belongs to nobody else is the factory's own, and so are the keys of its staff.
FACTORY_TENANT = Tenant(FACTORY, public_label())
_STAFF = frozenset({Role.OPERATOR, Role.AUDITOR})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about an asset, as it is stored now.

    `place`: where its content lies, or will, and is opened. `destination`: where `move` stores it
    and `export` takes it. `run`: the run that acts for the key, empty where a person does.
    """

    action: Action
    asset: Asset
    place: Place
    destination: Place | None = None
    run: str = ""

    @property
    def places(self) -> tuple[Place, ...]:
        """The places it is about, each once."""
        where = (self.place, self.destination)
        return tuple(dict.fromkeys(place for place in where if place is not None))


class AssetUse:
    """The decisions about assets of one snapshot. Thread-safe."""

    def __init__(self, snapshot: Snapshot, rulebook: Rulebook) -> None:
        self._snapshot = snapshot
        self._rulebook = rulebook
        self._kept = lru_cache(KEPT_VERDICTS)(self._decide)

    def decide(self, key_id: str, question: Question) -> Verdict:
        """The verdict, kept for as long as the snapshot is in force."""
        return self._kept(key_id, question)

    def explain(self, key: Key, question: Question) -> Verdict:
        """As `decide`, and by which rules also where the key may not know of the asset."""
        answer = self._ask(key, question)
        visible = may_know(key, question.asset)
        if answer.allowed and any(self._is_of_assets(one) for one in answer.rules):
            where = (question.place.id,)
            return Verdict(
                allowed=True, visible=visible, rules=answer.rules, remedy="", places=where
            )
        decided = () if answer.allowed else answer.rules
        remedy = self._remedy(answer, question)
        return Verdict(allowed=False, visible=visible, rules=decided, remedy=remedy)

    def _decide(self, key_id: str, question: Question) -> Verdict:
        key = self._snapshot.keys.get(key_id)
        if key is None:
            return unseen("no such key")
        if not may_know(key, question.asset):  # asking would take time that tells it is there
            return unseen("not the tenant's, and not shared with it")
        return self.explain(key, question)

    def _ask(self, key: Key, question: Question) -> Answer:
        document = self._entities(key, question)
        try:
            entities = cedarpy.Entities.from_json_str(json.dumps(document), PARSED_SCHEMA)
        except ValueError as error:
            return refused(str(error))
        asset = question.asset
        needed = [key_uid(key.id), tenant_uid(key_tenant(key))]
        needed += [asset_uid(asset.id), tenant_uid(asset.tenant)]
        needed += [place_uid(place) for place in question.places]
        return self._rulebook.ask(request_about(key, question), entities, needed, uids_of(document))

    def _entities(self, key: Key, question: Question) -> list[Entity]:
        """What a question is about, as far as there is such a thing."""
        tenants = {FACTORY: FACTORY_TENANT}
        concerned = dict.fromkeys((key_tenant(key), question.asset.tenant))
        found = [self._snapshot.tenants.get(name) or tenants.get(name) for name in concerned]
        return [
            *(tenant_entity(tenant) for tenant in found if tenant is not None),
            *([key_entity(key)] if _is_usable(key) else []),
            asset_entity(question.asset),
            *(place_entity(place) for place in question.places),
        ]

    def _is_of_assets(self, rule_id: str) -> bool:
        rule = self._rulebook.rules.get(rule_id)
        return rule is not None and rule.about == "Asset"

    def _remedy(self, answer: Answer, question: Question) -> str:
        permits = [one for one in self._rulebook.rules.values() if one.effect == "permit"]
        if self._rulebook.broken is None and not any(one.about == "Asset" for one in permits):
            return (
                f"the policies in force permit nothing with assets: add {ASSETS_FILE} "
                "(inland policy defaults DIR writes it, inland policy apply DIR puts it in force)"
            )
        if answer.allowed:
            return f"{', '.join(answer.rules)} must say that it is about assets: resource is Asset"
        return self._rulebook.remedy(answer, _facts(question))


def request_about(key: Key, question: Question) -> dict[str, Any]:
    """The question as Cedar is handed it."""
    asset, action = question.asset, question.action
    context: dict[str, Any] = {
        "place": {"__entity": reference(place_uid(question.place))},
        "purpose": (Purpose.RETRIEVE if action is Action.READ else action).value,
        "model": asset.id,
        "run": question.run,
    }
    if question.destination is not None:
        context["destination"] = {"__entity": reference(place_uid(question.destination))}
    return request_of(key_uid(key.id), action.value, asset_uid(asset.id), context)


def may_know(key: Key, asset: Asset) -> bool:
    """Whether a key may know that an asset exists: it is its tenant's or shared with it, or the key
    is an operator's. An auditor reads the books, which say what there is to say."""
    if key.tenant is None:
        return key.role is Role.OPERATOR
    return key.tenant == asset.tenant or bool({EVERYONE, key.tenant} & set(asset.shared_with))


def _is_usable(key: Key) -> bool:
    """Whether it stands for somebody: staff are of no tenant, and nobody else is of none."""
    return not key.revoked and (key.tenant is None) == (key.role in _STAFF)


def _facts(question: Question) -> str:
    label = question.asset.label
    stand = "; ".join(
        f"place {one.id} stands in {one.stands}, operated from {one.operated}"
        for one in question.places
    )
    return (
        f"{stand}; label of asset {question.asset.id}: processed in "
        f"{' '.join(label.jurisdictions) or 'none'}, stored in "
        f"{' '.join(label.stored_in) or 'none'}, {label.classification}, "
        f"for {' '.join(label.purposes) or 'nothing'}"
    )
