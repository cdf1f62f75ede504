"""A policy set, parsed once, and what it says to a question. Whatever fails, the answer is no."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cedarpy

from inland.decide.entities import Entity, Uid, action_uid, reference, uid_of
from inland.decide.policy_set import Rule, rules, rules_about

#: Texts whose rules are kept parsed.
KEPT_TEXTS = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy engine said, and what would make it say yes.

    `visible`: the caller may know that what it asks about exists; where false every answer is the
    same 404. `rules`: the ids that decided, sorted; empty where none matched. `remedy` is for
    people; empty when allowed. `places`: the ids of the places allowed.
    """

    allowed: bool
    visible: bool
    rules: tuple[str, ...]
    remedy: str
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What Cedar answered: the ids of the rules that decided, and what went wrong."""

    allowed: bool
    rules: tuple[str, ...]
    errors: tuple[str, ...]


class Rulebook:
    """The rules of a text. `broken`: why none of them can be used, None where they can."""

    def __init__(self, text: str) -> None:
        self.broken: str | None = None
        self.rules: dict[str, Rule] = {}
        self._text = text
        self._about: dict[str, cedarpy.PolicySet] = {}
        try:
            self.rules = rules(text)
        except ValueError as error:
            self.broken = str(error)

    def ask(
        self,
        request: dict[str, Any],
        entities: cedarpy.Entities,
        needed: Iterable[Uid],
        present: frozenset[Uid],
    ) -> Answer:
        """The answer by these entities, of which those `needed` must be `present`."""
        if self.broken is not None:
            return refused(f"the policy set cannot be used: {self.broken}")
        for kind, name in needed:
            if (kind, name) not in present:
                return refused(f'{kind}::"{name}" is not in the snapshot')
        try:
            policies = self._rules_about(request["resource"]["type"])
            result = cedarpy.is_authorized(request, policies, entities)
        except Exception as error:  # noqa: BLE001 - whatever fails, no decision means no
            return refused(f"the question could not be asked: {error}")
        named = result.diagnostics.id_annotations_by_reason
        errors = tuple(str(one) for one in result.diagnostics.errors)
        decided = tuple(sorted(named.get(one, one) for one in result.diagnostics.reasons))
        return Answer(result.allowed and not errors, decided, errors)

    def _rules_about(self, kind: str) -> cedarpy.PolicySet:
        """Those that can decide about a resource of that type, parsed at the first question."""
        if kind not in self._about:
            self._about[kind] = cedarpy.PolicySet.from_json_str(rules_about(self._text, kind))
        return self._about[kind]

    def remedy(self, answer: Answer, facts: str) -> str:
        """What would turn a no into a yes, beside the facts that it was decided on."""
        if answer.errors:
            return f"the decision failed, which denies: {answer.errors[0]}"
        if not answer.rules:
            return "no rule permits it: add a permit (inland policy apply)"
        says = [
            rule.remedy or f"rule {rule.id} must not match"
            for rule in (self.rules.get(one) for one in answer.rules)
            if rule is not None
        ]
        return f"{'; '.join(says)} ({facts})"


@lru_cache(KEPT_TEXTS)
def rulebook_of(text: str) -> Rulebook:
    """The rulebook of a text; most snapshots have the text of the one before."""
    return Rulebook(text)


def refused(error: str) -> Answer:
    """The answer to a question that could not be asked."""
    return Answer(allowed=False, rules=(), errors=(error,))


def unseen(why: str) -> Verdict:
    """The verdict about what the caller may not know of."""
    return Verdict(allowed=False, visible=False, rules=(), remedy=why)


def request_of(
    principal: Uid, action: str, resource: Uid, context: dict[str, Any]
) -> dict[str, Any]:
    """A question as Cedar is handed it."""
    return {
        "principal": reference(principal),
        "action": reference(action_uid(action)),
        "resource": reference(resource),
        "context": context,
    }


def uids_of(document: Iterable[Entity]) -> frozenset[Uid]:
    """The entities that a document holds."""
    return frozenset(uid_of(one) for one in document)
