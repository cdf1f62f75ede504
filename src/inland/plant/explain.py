"""Which rule decided: for a record, by the policy of its time; for a question, by today's."""

from dataclasses import dataclass
from typing import Any, Protocol

from inland.decide.policy_set import rule_texts
from inland.decide.residency import Residency
from inland.domain.errors import BadInput, NotFound
from inland.domain.labels import Purpose
from inland.domain.places import Place
from inland.domain.snapshot import Snapshot
from inland.ledger.records import Record
from inland.plant.changes import Changes
from inland.plant.labels import checked_place
from inland.ports.store import Store

#: A place that is asked about and is none of the factory's.
ASKED_PLACE = "asked"


class Records(Protocol):
    """Finds a record by what a caller was given for it."""

    def locate(self, ref: str) -> tuple[str | None, Record] | None:
        """The record `ref` names (its id, or an answer's id) and its tenant; None if unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """Who (a key's id or a tenant), which purpose, what (deployment or model), and where (a
    deployment's place unless `place` says `CC` or `CC/CC`: where it stands, who operates it)."""

    who: str
    action: str = Purpose.SERVE
    deployment: str | None = None
    model: str | None = None
    place: str | None = None


class Explain:
    """Explains decisions; the rules' texts come from the set that took them."""

    def __init__(self, changes: Changes, records: Records) -> None:
        self._changes = changes
        self._records = records

    def record(self, ref: str) -> dict[str, Any] | None:
        """What was decided for a record, from what it says itself; None where there is none."""
        located = self._records.locate(ref)
        if located is None or "policy" not in located[1]:
            return None
        record = located[1]
        decided_by = list(record.get("decided_by") or record.get("rules") or [])
        return {
            "reference": record["id"],
            "kind": record["kind"],
            "time": record["time"],
            "decision": record.get("decision", "deny"),
            "decided_by": decided_by,
            "rules": stored_rules(self._changes.store, record["policy"], decided_by),
            "policy": record["policy"],
            "snapshot": record.get("snapshot"),
            "tenant": record.get("tenant"),
            "key": record.get("key"),
            "action": Purpose.SERVE.value,
            "deployment": record.get("deployment"),
            "model": record.get("model"),
            "place": record.get("place"),
            "label": record.get("label"),
            "model_label": record.get("model_label"),
        }

    def question(self, question: Question) -> dict[str, Any]:
        """What would be decided now. Raises BadInput or NotFound."""
        snapshot = self._changes.snapshot()
        action = _purpose(question.action)
        model, place, called = _subject(snapshot, question)
        if question.who not in snapshot.keys and question.who not in snapshot.tenants:
            raise NotFound(f"key or tenant {question.who!r}")
        verdict = Residency(snapshot).decide(question.who, action, model, place, called)
        texts = stored_rules(self._changes.store, snapshot.policy_digest, list(verdict.rules))
        return {
            "decision": "allow" if verdict.allowed else "deny",
            "decided_by": list(verdict.rules),
            "rules": texts,
            "remedy": verdict.remedy,
            "visible": verdict.visible,
            "policy": snapshot.policy_digest,
            "snapshot": snapshot.version,
            "who": question.who,
            "action": action.value,
            "deployment": question.deployment,
            "model": model,
            "place": {
                "id": place.id,
                "stands": place.stands,
                "operated": place.operated,
                "known": place.known.value,
            },
        }


def stored_rules(store: Store, digest: str, decided_by: list[str]) -> dict[str, str]:
    """The text of each rule that decided, from the set stored under `digest`."""
    with store.read() as transaction:
        text = transaction.state.policy(digest)
    texts = rule_texts(text) if text is not None else {}
    return {rule: texts[rule] for rule in decided_by if rule in texts}


def _purpose(text: str) -> Purpose:
    try:
        return Purpose(text)
    except ValueError:
        raise BadInput("action", f"{text!r} is none of {', '.join(Purpose)}") from None


def _subject(snapshot: Snapshot, question: Question) -> tuple[str, Place, str]:
    """Model, place, and the name in /v1."""
    deployment = None
    if question.deployment is not None:
        deployment = snapshot.deployments.get(question.deployment)
        if deployment is None:
            raise NotFound(f"deployment {question.deployment!r}")
    model = deployment.model if deployment is not None else question.model
    if model is None:
        raise BadInput("deployment", "say which deployment, or which model and where")
    if model not in snapshot.models:
        raise NotFound(f"model {model!r}")
    if question.place is not None:
        stands, _, operated = question.place.partition("/")
        place = checked_place(ASKED_PLACE, stands, operated or None)
    elif deployment is not None:
        place = deployment.place
    else:
        raise BadInput("place", "say where: CC, or CC/CC (where it stands, who operates it)")
    return model, place, deployment.name if deployment is not None else model
