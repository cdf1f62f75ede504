"""The default policies keep the promises, and a question or a plant with a hole in it is denied."""

import json
from dataclasses import replace
from unittest import mock

import cedarpy
import pytest

from inland.decide import residency
from inland.decide.entities import entities_of
from inland.decide.residency import Residency
from inland.domain.labels import FACTORY, Label, Purpose
from inland.domain.places import Place
from inland.domain.plant import Deployment, EngineKind, Model, Tenant
from tests.unit.decide.plants import allowed_snapshot
from tests.unit.decide.promises import compare

CASES = 5_000
EVERYTHING = tuple(Purpose)


def test_the_default_policies_keep_the_promises():
    agreed = compare(seed=1, cases=CASES)
    assert not agreed.differ, agreed.differ[:3]
    assert agreed.allowed > CASES // 50, "too few are allowed to show anything"


def _snapshot():
    """Where key `k` may do everything with `m` in Germany, and the door opens to one server."""
    snapshot = allowed_snapshot()
    tenant = Tenant("acme", Label("acme", ("DE",), purposes=EVERYTHING))
    model = Model("m", Label(FACTORY, ("EU",), purposes=EVERYTHING), ("acme",), None)
    far = Deployment(
        "far",
        EngineKind.OPENAI,
        "m",
        Place("far", "DE", "DE"),
        url="https://far.example.org/v1",
        upstream_model="x",
    )
    deployments = {**snapshot.deployments, "far": far}
    return replace(snapshot, tenants={"acme": tenant}, models={"m": model}, deployments=deployments)


def _ask(decider, action):
    if action == "connect":
        return decider.decide_connect("far.example.org", 443, private=False)
    if action is Purpose.SERVE:
        return decider.decide_serve("k", "d")
    return decider.decide("k", action, "m", _snapshot().deployments["d"].place, "d")


ACTIONS = [*EVERYTHING, "connect"]
USE = {("Key", "k"), ("Tenant", "acme"), ("Model", "m"), ("Place", "here")}
CONNECT = {("Factory", "factory"), ("Endpoint", "far.example.org:443")}


def _holes(action):
    """What Cedar is handed, each entity away and each attribute away."""
    document = entities_of(_snapshot(), ())
    for index, entity in enumerate(document):
        rest = [*document[:index], *document[index + 1 :]]
        uid = (entity["uid"]["type"], entity["uid"]["id"])
        if uid in (CONNECT if action == "connect" else USE):
            if uid[0] != "Place" or action is Purpose.SERVE:  # else a place may be asked about
                yield f"{action} without {uid}", rest
            for name in entity["attrs"]:
                attrs = {key: value for key, value in entity["attrs"].items() if key != name}
                yield f"{action} without {uid}.{name}", [*rest, {**entity, "attrs": attrs}]


def _handed(action):
    """The question as Cedar is handed it."""
    seen = []
    asks = cedarpy.is_authorized

    def listen(request, policies, entities):
        seen.append(request)
        return asks(request, policies, entities)

    with mock.patch.object(cedarpy, "is_authorized", side_effect=listen):
        assert _ask(Residency(_snapshot()), action).allowed
    (request,) = seen
    return request


def _questions(action):
    """Each part of the question away, and each part of its context."""
    request = _handed(action)
    for name in request:
        yield f"{action} without {name}", {k: v for k, v in request.items() if k != name}
    for name in request["context"]:
        context = {k: v for k, v in request["context"].items() if k != name}
        yield f"{action} without context.{name}", {**request, "context": context}


HOLES = [(name, action, doc) for action in ACTIONS for name, doc in _holes(action)]
QUESTIONS = [(name, action, ask) for action in ACTIONS for name, ask in _questions(action)]


@pytest.mark.parametrize(("name", "action", "document"), HOLES, ids=[one[0] for one in HOLES])
def test_a_plant_with_a_hole_in_it_denies(name, action, document):
    assert json.dumps(document)
    with mock.patch.object(residency, "entities_of", return_value=document):
        assert not _ask(Residency(_snapshot()), action).allowed


@pytest.mark.parametrize(("name", "action", "request_"), QUESTIONS, ids=[q[0] for q in QUESTIONS])
def test_a_question_with_a_hole_in_it_denies(name, action, request_):
    with mock.patch.object(residency, "request_of", return_value=request_):
        assert not _ask(Residency(_snapshot()), action).allowed
