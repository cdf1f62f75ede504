"""Residency fails closed: what is missing denies, and an independent oracle agrees on the rest."""

import json
from dataclasses import replace
from unittest import mock

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inland.decide import residency
from inland.decide.entities import entities_of
from inland.decide.policy_set import default_files, endpoint_rule
from inland.decide.residency import Residency
from inland.domain.labels import Label, Purpose
from inland.domain.places import GROUPS, WORLD, Place
from inland.domain.plant import Deployment, EngineKind, Key, Replica, ReplicaState, Role, Tenant
from inland.domain.releases import Serving, candidate_name
from inland.domain.snapshot import Snapshot
from tests.unit.decide.plants import allowed_snapshot, deployment, plants, snapshot_of


def _covers(codes: tuple[str, ...], country: str) -> bool:
    return any(c in {country, WORLD} or country in GROUPS.get(c, ()) for c in codes)


def oracle(snapshot: Snapshot, action: Purpose) -> bool:
    """What the default policies mean, said once more without Cedar."""
    key, model = snapshot.keys["k"], snapshot.models["m"]
    place = snapshot.deployments["d"].place
    tenant = snapshot.tenants.get(key.tenant or "")
    if tenant is None or tenant.suspended or key.revoked:
        return False
    if key.role not in {Role.MEMBER, Role.TENANT_ADMIN}:
        return False
    if key.models and "d" not in key.models:
        return False
    if model.label.owner != tenant.id and not {tenant.id, "*"} & set(model.shared_with):
        return False
    labels = (tenant.label, model.label)
    return all(
        action in label.purposes
        and _covers(label.jurisdictions, place.stands)
        and _covers(label.jurisdictions, place.operated)
        for label in labels
    )


@settings(max_examples=500)  # `make soak` (policies) has 100,000
@given(plants(), st.sampled_from(list(Purpose)))
def test_cedar_and_an_independent_oracle_agree(snapshot, action):
    decider = Residency(snapshot)
    wanted = oracle(snapshot, action)
    place = snapshot.deployments["d"].place
    assert decider.decide("k", action, "m", place, "d").allowed == wanted
    if action is Purpose.SERVE:
        verdict = decider.decide_serve("k", "d")
        assert verdict.allowed == wanted
        assert verdict.places == (("here",) if wanted else ())
        assert bool(verdict.remedy) == (not wanted)


def _mutations(document):
    """Each entity away, each attribute away, each set emptied; the rest as it was."""
    involved = {("Key", "k"), ("Tenant", "acme"), ("Model", "m"), ("Place", "here")}
    for index, entity in enumerate(document):
        if (entity["uid"]["type"], entity["uid"]["id"]) not in involved:
            continue
        yield f"without {entity['uid']}", [*document[:index], *document[index + 1 :]]
        for name in entity["attrs"]:
            attrs = {key: value for key, value in entity["attrs"].items() if key != name}
            changed = [*document[:index], {**entity, "attrs": attrs}, *document[index + 1 :]]
            yield f"{entity['uid']} without {name}", changed


MUTATIONS = list(_mutations(entities_of(allowed_snapshot(), ())))


@pytest.mark.parametrize(("name", "document"), MUTATIONS, ids=[name for name, _ in MUTATIONS])
def test_anything_missing_denies(name, document):
    assert Residency(allowed_snapshot()).decide_serve("k", "d").allowed
    with mock.patch.object(residency, "entities_of", return_value=document):
        assert not Residency(allowed_snapshot()).decide_serve("k", "d").allowed


#: Attributes that no default rule reads: only the schema misses them.
_UNREAD = ("classification", "withdrawn", "stored", "known", "without stands", "without operated")
READ = [one for one in MUTATIONS if not one[0].endswith(_UNREAD)]


@pytest.mark.parametrize(("name", "document"), READ, ids=[name for name, _ in READ])
def test_the_permit_alone_denies_what_is_missing(name, document):
    """Cedar skips a forbid that errors; without schema and forbids nothing missing may allow."""
    use = default_files()["use.cedar"]
    permit = use[use.index('@id("use")') : use.index('@id("use.owned-or-shared")')]
    entities = cedarpy.Entities.from_json_str(json.dumps(document))
    request = {
        "principal": {"type": "Key", "id": "k"},
        "action": {"type": "Action", "id": "serve"},
        "resource": {"type": "Model", "id": "m"},
        "context": {
            "place": {"__entity": {"type": "Place", "id": "here"}},
            "purpose": "serve",
            "model": "d",
        },
    }
    assert not cedarpy.is_authorized(request, permit, entities).allowed


@given(st.text(max_size=60))
def test_a_policy_text_that_cannot_be_used_denies(text):
    snapshot = replace(allowed_snapshot(), policy_text=text)
    assert not Residency(snapshot).decide_serve("k", "d").allowed


def test_an_error_in_any_rule_denies():
    broken = '@id("broken") forbid (principal, action, resource) when { principal.nothing };'
    snapshot = allowed_snapshot({**default_files(), "broken.cedar": broken})
    verdict = Residency(snapshot).decide_serve("k", "d")
    assert not verdict.allowed
    assert "failed" in verdict.remedy


def test_no_rule_means_no():
    only = '@id("train-only") permit (principal, action == Action::"train", resource);'
    verdict = Residency(allowed_snapshot({"a.cedar": only})).decide_serve("k", "d")
    assert (verdict.allowed, verdict.rules) == (False, ())
    assert "no rule permits" in verdict.remedy


def test_a_broader_permit_does_not_lift_the_border():
    anything = '@id("anything") permit (principal, action, resource);'
    snapshot = allowed_snapshot({**default_files(), "a.cedar": anything})
    held = replace(snapshot, tenants={"acme": Tenant("acme", Label("acme", ("US",)))})
    verdict = Residency(held).decide_serve("k", "d")
    assert not verdict.allowed
    assert verdict.rules == ("border.tenant",)


def test_a_denial_says_what_would_make_it_pass():
    snapshot = allowed_snapshot()
    held = replace(snapshot, tenants={"acme": Tenant("acme", Label("acme", ("US",)))})
    remedy = Residency(held).decide_serve("k", "d").remedy
    assert "label of tenant acme: US" in remedy
    assert "stands in DE" in remedy


def test_a_place_that_two_deployments_contradict_denies():
    snapshot = allowed_snapshot()
    other = deployment(Place("here", "DE", "US"), "other")
    both = replace(snapshot, deployments={**snapshot.deployments, "other": other})
    assert not Residency(both).decide_serve("k", "d").allowed


def test_only_the_allowed_places_of_the_replicas_are_named():
    snapshot = allowed_snapshot()
    replicas = {
        name: Replica(name, "d", ReplicaState.READY, "x", Place(name, code, code))
        for name, code in (("a", "DE"), ("b", "US"))
    }
    verdict = Residency(replace(snapshot, replicas=replicas)).decide_serve("k", "d")
    assert verdict.places == ("a", "here")


def test_a_foreign_model_costs_no_decision_whose_time_would_tell_of_it():
    snapshot = allowed_snapshot()
    hidden = replace(snapshot.models["m"], shared_with=())
    decider = Residency(replace(snapshot, models={"m": hidden}))
    with mock.patch.object(cedarpy, "is_authorized", side_effect=AssertionError):
        verdict = decider.decide_serve("k", "d")
    assert (verdict.allowed, verdict.visible, verdict.rules) == (False, False, ())


def test_a_foreign_model_is_invisible_and_a_shared_one_is_not():
    snapshot = allowed_snapshot()
    foreign = replace(snapshot.models["m"], shared_with=("demo",))
    verdict = Residency(replace(snapshot, models={"m": foreign})).decide_serve("k", "d")
    assert (verdict.allowed, verdict.visible) == (False, False)
    held = replace(snapshot, tenants={"acme": Tenant("acme", Label("acme", ("US",)))})
    verdict = Residency(held).decide_serve("k", "d")
    assert (verdict.allowed, verdict.visible) == (False, True)


def test_operators_and_auditors_use_no_model():
    snapshot = allowed_snapshot()
    for role in (Role.OPERATOR, Role.AUDITOR):
        keys = {"k": Key("k", None, role, "")}
        assert not Residency(replace(snapshot, keys=keys)).decide_serve("k", "d").allowed
        keys = {"k": Key("k", "acme", role, "")}
        assert not Residency(replace(snapshot, keys=keys)).decide_serve("k", "d").allowed


@pytest.mark.parametrize("files", [default_files(), None])
def test_nothing_is_served_to_a_tenant_that_withdrew_its_keys(files):
    """By rules from before there were keys to withdraw, too."""
    earlier = {
        "use.cedar": default_files()["use.cedar"].split('@id("use.withdrawn")')[0],
        "border.cedar": default_files()["border.cedar"],
    }
    snapshot = allowed_snapshot(files or earlier)
    out = replace(snapshot.tenants["acme"], withdrawn=True)
    verdict = Residency(replace(snapshot, tenants={"acme": out})).decide_serve("k", "d")
    assert not verdict.allowed
    assert verdict.rules == (("use.withdrawn",) if files else ())
    suspended = Residency(replace(snapshot, tenants={"acme": replace(out, suspended=True)}))
    assert not suspended.decide_serve("k", "d").allowed


def test_a_tenant_may_be_asked_about_as_a_whole_and_at_any_place():
    decider = Residency(allowed_snapshot())
    here, there = Place("asked", "DE", "DE"), Place("asked", "DE", "US")
    assert decider.decide("acme", Purpose.SERVE, "m", here).allowed
    assert not decider.decide("acme", Purpose.SERVE, "m", there).allowed
    assert not decider.decide("nobody", Purpose.SERVE, "m", here).visible


def _upstream(url: str, files: dict[str, str] | None = None) -> Residency:
    place = Place("upstream-u", "US", "US")
    one = Deployment("u", EngineKind.OPENAI, "m", place, url=url, upstream_model="x")
    return Residency(snapshot_of([], [], [], [one], files))


def test_only_public_hosts_of_deployments_are_connected_to():
    decider = _upstream("https://Models.Example.org/v1")
    assert decider.decide_connect("models.example.org", 443, private=False).allowed
    assert not decider.decide_connect("models.example.org", 80, private=False).allowed
    assert not decider.decide_connect("other.example.org", 443, private=False).allowed
    refused = decider.decide_connect("models.example.org", 443, private=True)
    assert not refused.allowed
    assert 'Endpoint::"models.example.org:443"' in refused.remedy


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 8000), ("::1", 9), ("Vllm.Internal", 80)])
def test_a_private_address_takes_a_rule_that_names_it(host, port):
    literal = f"[{host}]" if ":" in host else host
    files = {**default_files(), "endpoints.cedar": endpoint_rule(host, port)}
    decider = _upstream(f"http://{literal}:{port}/v1", files)
    assert decider.decide_connect(host, port, private=True).allowed
    assert not decider.decide_connect(host, port + 1, private=True).allowed


def test_a_rule_that_permits_everything_permits_no_private_address():
    anything = '@id("anything") permit (principal, action, resource);'
    decider = _upstream("http://10.0.0.1:80/v1", {"a.cedar": anything})
    assert decider.decide_connect("10.0.0.1", 80, private=False).allowed
    assert not decider.decide_connect("10.0.0.1", 80, private=True).allowed


def test_a_candidate_is_decided_for_its_key_alone():
    name = candidate_name("line", "run")
    made = allowed_snapshot()
    made = replace(made, models=made.models | {"a": replace(made.models["m"], id="a")})
    of_run = replace(made.keys["k"], id="run-key", models=("d", name))
    unlimited = replace(made.keys["k"], models=())
    made = replace(made, keys={"k": unlimited, "run-key": of_run})
    candidate = Serving("r", "acme", name, "d", "a", 0, "run-key")
    decider = Residency(made)
    assert decider.decide_release("run-key", candidate).allowed
    assert not decider.decide_release("k", candidate).visible
    assert decider.decide_release("k", replace(candidate, key="")).allowed
