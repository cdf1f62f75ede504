"""A change is state, version and record together, or nothing; taking rights away waits."""

from dataclasses import replace

import pytest

from inland.decide.residency import Residency
from inland.domain.api_keys import secret_sha256, split_api_key
from inland.domain.errors import BadInput, Conflict, Denied, NotFound
from inland.domain.plant import EngineKind, Role
from inland.plant.deployments import Order
from tests.unit.plant.parts import Plant

UPSTREAM = {"engine": EngineKind.OPENAI, "upstream_model": "m", "jurisdiction": "US"}


def test_every_change_raises_the_version_and_is_booked_with_who_did_it(plant):
    before = plant.snapshot.version
    booked = len(plant.records())
    plant.tenants.add("someone", "acme")
    assert plant.snapshot.version == before + 1
    (record,) = plant.records()[booked:]
    assert (record["what"], record["who"], record["subject"]) == ("tenant.add", "someone", "acme")
    assert record["details"]["jurisdictions"] == ["DE"]


def test_a_change_that_fails_leaves_nothing(plant):
    plant.tenants.add("op", "acme")
    published, booked = plant.snapshot, len(plant.records())
    with pytest.raises(Conflict):
        plant.tenants.add("op", "acme")
    with pytest.raises(NotFound):
        plant.keys.add("op", "nobody")
    with pytest.raises(BadInput):
        plant.tenants.add("op", "other", ["XXX"])
    assert plant.snapshot is published
    assert len(plant.records()) == booked
    assert plant.changes.snapshot() == published


def test_one_state_gives_one_snapshot(plant):
    assert plant.changes.snapshot() == plant.snapshot
    again = Plant(plant.home)
    again.begin()
    assert again.changes.snapshot() == plant.snapshot
    again.store.close()


def test_a_tenant_has_its_record_key_before_it_exists(plant, monkeypatch):
    monkeypatch.setattr(plant.store, "write", lambda: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        plant.tenants.add("op", "acme")
    assert "acme" in plant.secrets.secrets().record_keys


def test_a_record_key_is_never_replaced(plant):
    plant.tenants.add("op", "acme")
    kept = plant.secrets.secrets().record_keys["acme"]
    plant.secrets.keep_record_key("acme", b"x" * 32)
    assert plant.secrets.secrets().record_keys["acme"] == kept


def test_a_key_is_shown_once_and_only_its_hash_is_kept(plant):
    plant.tenants.add("op", "acme")
    key, text = plant.keys.add("op", "acme")
    secret = (split_api_key(text) or ("", ""))[1]
    assert secret
    assert key.secret_sha256 == secret_sha256(secret)
    plant.store.close()
    for path in plant.home.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_taking_rights_away_waits_for_the_gateways_even_when_repeated(plant):
    plant.tenants.add("op", "acme")
    key, _ = plant.keys.add("op", "acme")
    for act in (
        lambda: plant.keys.revoke("op", key.id),
        lambda: plant.tenants.suspend("op", "acme"),
    ):
        plant.feed.waited.clear()
        act()
        version, booked = plant.snapshot.version, len(plant.records())
        assert plant.feed.waited == [version]
        act()
        assert plant.feed.waited == [version, version]
        assert len(plant.records()) == booked


def test_a_tenants_purposes_are_what_was_said_last_in_force_when_it_returns(plant):
    plant.tenants.add("op", "acme", purposes=("serve",))
    for purposes in (("serve", "train"), ("evaluate",)):
        made = plant.tenants.label("op", "acme", purposes)
        assert made.label.purposes == purposes
        assert plant.snapshot.tenants["acme"].label == made.label
        assert plant.feed.waited[-1] == plant.snapshot.version
    with pytest.raises(BadInput):
        plant.tenants.label("op", "acme", ("rule the world",))
    with pytest.raises(BadInput, match="at least one"):
        plant.tenants.label("op", "acme", ())
    with pytest.raises(NotFound):
        plant.tenants.label("op", "nobody", ("serve",))
    (_, last) = [one for one in plant.records() if one.get("what") == "tenant.label"]
    assert last["details"]["purposes"] == ["evaluate"]


def test_a_tenant_of_the_file_is_labelled_there(plant):
    plant.tenants.add("op", "acme")
    with plant.changes.change("op") as change:
        change.state.put_tenant(replace(change.state.tenants()["acme"], declared=True))
        change.touch()
    with pytest.raises(Conflict, match=r"factory\.toml declares it"):
        plant.tenants.label("op", "acme", ("serve", "train"))


def test_a_revoked_key_stays_revoked_and_a_foreign_one_is_not_found(plant):
    plant.tenants.add("op", "acme")
    key, _ = plant.keys.add("op", "acme")
    with pytest.raises(NotFound):
        plant.keys.revoke("op", key.id, tenant="demo")
    plant.keys.revoke("op", key.id)
    plant.begin()
    assert plant.snapshot.keys[key.id].revoked


def test_the_last_operator_key_cannot_be_revoked(plant):
    key, _ = plant.keys.add("op", None, Role.OPERATOR)
    with pytest.raises(Conflict, match="last operator key"):
        plant.keys.revoke("op", key.id)
    plant.keys.add("op", None, Role.OPERATOR)
    assert plant.keys.revoke("op", key.id).revoked


@pytest.mark.parametrize(("tenant", "role"), [(None, Role.MEMBER), ("acme", Role.OPERATOR)])
def test_a_role_fits_where_its_key_belongs(plant, tenant, role):
    plant.tenants.add("op", "acme")
    with pytest.raises(BadInput):
        plant.keys.add("op", tenant, role)


def test_an_expiry_in_the_past_is_refused(plant):
    plant.tenants.add("op", "acme")
    with pytest.raises(BadInput):
        plant.keys.add("op", "acme", expires_unix_s=1)


def test_an_upstream_stands_where_it_was_said_to(plant):
    plant.deployments.add(
        "op", Order("far", url="https://models.example.org/v1", operator="FR", **UPSTREAM)
    )
    made = plant.snapshot.deployments["far"]
    assert (made.place.stands, made.place.operated) == ("US", "FR")
    assert plant.snapshot.models["far"].label.jurisdictions == ("WORLD",)


def test_a_private_upstream_takes_a_rule_and_leaves_nothing_without_one(plant):
    order = Order("near", url="http://127.0.0.1:8000/v1", token="secret-token", **UPSTREAM)
    before = plant.changes.snapshot()
    with pytest.raises(Denied) as refused:
        plant.deployments.add("op", order)
    assert "--permit-endpoint" in refused.value.remedy
    assert plant.changes.snapshot() == before
    assert plant.secrets.secrets().upstream_keys == {}


def test_a_permitted_endpoint_is_a_rule_of_the_policies_in_the_folder_too(plant):
    order = Order(
        "near", url="http://127.0.0.1:8000/v1", permit_endpoint=True, token="t", **UPSTREAM
    )
    plant.deployments.add("op", order)
    decider = Residency(plant.snapshot)
    assert decider.decide_connect("127.0.0.1", 8000, private=True).allowed
    assert not decider.decide_connect("127.0.0.1", 8001, private=True).allowed
    assert plant.policies.drift() == []
    assert plant.feed.secrets[-1].upstream_keys == {"near": "t"}
    plant.deployments.remove("op", "near")
    assert plant.feed.waited[-1] == plant.snapshot.version
    assert "near" not in plant.snapshot.deployments
    assert plant.secrets.secrets().upstream_keys == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "ftp://x/"},
        {"url": "http://u:p@x/"},
        {"url": "http://x/?q"},
        {"url": "http://@x/"},
        {"model": "<<gap:billed>>"},
        {"model": "\ud800"},
        {"upstream_model": "\ud800"},
        {"url": None},
        {"upstream_model": None},
        {"jurisdiction": None},
        {"jurisdiction": "EU"},
        {"operator": "WORLD"},
        {"slots": 0},
        {"context": 1},
        {"token": "two\nlines"},
        {"name": "Far"},
    ],
)
def test_a_deployment_that_makes_no_sense_is_refused(plant, changes):
    good = {"name": "far", "url": "https://models.example.org/v1", **UPSTREAM}
    with pytest.raises(BadInput):
        plant.deployments.add("op", Order(**{**good, **changes}))


def test_what_the_file_declares_is_changed_only_there(plant):
    with pytest.raises(Conflict, match=r"factory\.toml"):
        plant.deployments.remove("op", "smollm2")
    with pytest.raises(Conflict, match=r"factory\.toml"):
        plant.deployments.add("op", Order("smollm2", EngineKind.LLAMA_CPP, model="smol"))


def test_a_deployment_needs_weights_that_are_here(plant):
    with pytest.raises(NotFound):
        plant.deployments.add("op", Order("new", EngineKind.LLAMA_CPP, model="unknown"))


def test_a_factory_holds_as_many_of_each_as_its_limits_say(tmp_path):
    plant = Plant(tmp_path, most=2)
    plant.begin()
    for name in ("one", "two"):
        plant.tenants.add("op", name)
        plant.keys.add("op", name)
    plant.deployments.add("op", Order("far", url="https://models.example.org", **UPSTREAM))
    published, booked = plant.snapshot, len(plant.records())
    with pytest.raises(Conflict, match=r"limits\.tenants"):
        plant.tenants.add("op", "three")
    with pytest.raises(Conflict, match=r"limits\.keys"):
        plant.keys.add("op", "one")
    with pytest.raises(Conflict, match=r"limits\.deployments"):
        plant.deployments.add("op", Order("far2", url="https://models.example.org", **UPSTREAM))
    assert (plant.snapshot, len(plant.records())) == (published, booked)
    plant.store.close()


def test_a_token_goes_to_no_server_but_the_one_it_was_given_for(plant):
    """What a killed removal, or an earlier declaration of the name, left behind is not sent on."""
    plant.secrets.keep_upstream_key("far", "for another server")
    plant.deployments.add("op", Order("far", url="https://models.example.org", **UPSTREAM))
    assert plant.feed.secrets[-1].upstream_keys == {}
