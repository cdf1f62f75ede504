"""Which rule decided: for a record, by the policy of its time; for a question, by today's."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from inland.decide.policy_set import rule_texts
from inland.decide.residency import Residency
from inland.decide.rulebook import Verdict
from inland.domain.assets import Action
from inland.domain.errors import BadInput, NotFound
from inland.domain.labels import Purpose
from inland.domain.places import Place
from inland.domain.snapshot import Snapshot
from inland.ledger.records import CHANGE, Record
from inland.ledger.tombstones import is_destroyed
from inland.plant.asset_rulings import closed, place_facts, unknown
from inland.plant.books.receipts import destroyed
from inland.plant.changes import Changes
from inland.plant.labels import checked_place
from inland.ports.store import Store

#: A place that is asked about and is none of the factory's.
ASKED_PLACE, ASKED_DESTINATION = "asked", "asked-destination"


class Records(Protocol):
    """Finds a record by what a caller was given for it."""

    def locate(self, ref: str) -> tuple[str | None, Record] | None:
        """The record `ref` names (its id, or an answer's id) and its tenant; None if unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """Who (a key's id or a tenant), which action, what (deployment, model or asset), and where (a
    deployment's place, or of an asset the site, unless `place` says `CC` or `CC/CC`: where it
    stands, who operates it). `destination`: where an asset would go, said as `place` is."""

    who: str
    action: str = Purpose.SERVE
    deployment: str | None = None
    model: str | None = None
    place: str | None = None
    asset: str | None = None
    destination: str | None = None


class Explain:
    """Explains decisions; the rules' texts come from the set that took them."""

    def __init__(self, changes: Changes, records: Records, site: Place) -> None:
        self._changes = changes
        self._records = records
        self._site = site

    def record(self, ref: str) -> dict[str, Any] | None:
        """What was decided for a record, from what it says itself; None where there is none."""
        located = self._records.locate(ref)
        if located is None:
            return None
        record = located[1]
        if record["kind"] == CHANGE and record["what"].startswith("asset."):
            record = _of_asset(record)
        if is_destroyed(record):
            raise destroyed(record)
        if "policy" not in record:
            return None
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
            "action": record.get("what", Purpose.SERVE.value),
            "deployment": record.get("deployment"),
            "model": record.get("model"),
            "asset": record.get("asset"),
            "destination": record.get("destination"),
            "place": record.get("place"),
            "label": record.get("label"),
            "model_label": record.get("model_label"),
        }

    def question(self, question: Question) -> dict[str, Any]:
        """What would be decided now. Raises BadInput or NotFound."""
        snapshot = self._changes.snapshot()
        if question.who not in snapshot.keys and question.who not in snapshot.tenants:
            raise NotFound(f"key or tenant {question.who!r}")
        if question.asset is not None:
            return self._about_asset(snapshot, question)
        action = Purpose(_one_of(Purpose, question.action))
        model, place, called = _subject(snapshot, question)
        verdict = Residency(snapshot).decide(question.who, action, model, place, called)
        return self._told(snapshot, question, verdict, place) | {"model": model}

    def _about_asset(self, snapshot: Snapshot, question: Question) -> dict[str, Any]:
        action = Action(_one_of(Action, question.action))
        if question.deployment is not None or question.model is not None:
            raise BadInput("asset", "ask about an asset, or about a deployment or model")
        with self._changes.store.read() as transaction:
            row = transaction.assets.asset(question.asset or "")
        if row is None:
            raise unknown(question.asset or "")
        place = self._site
        if question.place is not None:
            place = _asked_place(ASKED_PLACE, question.place)
        to = None
        if question.destination is not None:
            to = _asked_place(ASKED_DESTINATION, question.destination)
        decides = Residency(snapshot)
        verdict = decides.explain_asset(question.who, action, closed(row), place, to)
        told = {"asset": row.id, "destination": None if to is None else place_facts(to)}
        return self._told(snapshot, question, verdict, place) | told

    def _told(
        self, snapshot: Snapshot, question: Question, verdict: Verdict, place: Place
    ) -> dict[str, Any]:
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
            "action": question.action,
            "deployment": question.deployment,
            "model": None,
            "asset": None,
            "place": place_facts(place),
            "destination": None,
        }


def _of_asset(change: Record) -> Record:
    """What the record of an act on an asset says was decided, as those of requests say it."""
    about = {"key": change["who"], "asset": change["subject"]}
    said = {name: change[name] for name in ("id", "kind", "time", "what")}
    return {**change["details"], **about, **said}


def stored_rules(store: Store, digest: str, decided_by: list[str]) -> dict[str, str]:
    """The text of each rule that decided, from the set stored under `digest`."""
    with store.read() as transaction:
        text = transaction.state.policy(digest)
    texts = rule_texts(text) if text is not None else {}
    return {rule: texts[rule] for rule in decided_by if rule in texts}


def _one_of(actions: Iterable[str], text: str) -> str:
    if text not in list(actions):
        raise BadInput("action", f"{text!r} is none of {', '.join(actions)}")
    return text


def _asked_place(name: str, codes: str) -> Place:
    """From `CC` or `CC/CC`. Raises BadInput."""
    stands, _, operated = codes.partition("/")
    return checked_place(name, stands, operated or None)


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
        place = _asked_place(ASKED_PLACE, question.place)
    elif deployment is not None:
        place = deployment.place
    else:
        raise BadInput("place", "say where: CC, or CC/CC (where it stands, who operates it)")
    return model, place, deployment.name if deployment is not None else model
