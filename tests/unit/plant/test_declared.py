"""What factory.toml declares is made true at start, and what it no longer says is undone."""

from dataclasses import replace

from inland.domain.labels import Label
from inland.domain.places import Place
from inland.domain.plant import Deployment, EngineKind, Key, Role, Tenant
from inland.plant.declared import Declared
from tests.unit.plant.parts import MODEL, SERVED, SITE

ACME = Tenant("acme", Label("acme", ("DE",)), declared=True)
ALL = Declared(SITE, tenants=(ACME,), models=(MODEL,), deployments=(SERVED,))


def test_the_same_file_again_changes_nothing(plant):
    plant.begin(ALL)
    version, booked = plant.snapshot.version, len(plant.records())
    plant.begin(ALL)
    assert (plant.snapshot.version, len(plant.records())) == (version, booked)


def test_a_declared_tenant_has_a_record_key_and_its_changed_label(plant):
    plant.begin(ALL)
    assert "acme" in plant.feed.secrets[-1].record_keys
    wider = replace(ACME, label=Label("acme", ("EU",)))
    plant.begin(replace(ALL, tenants=(wider,)))
    assert plant.snapshot.tenants["acme"] == wider


def test_a_tenant_suspended_by_command_stays_suspended(plant):
    plant.begin(ALL)
    plant.tenants.suspend("op", "acme")
    plant.begin(ALL)
    assert plant.snapshot.tenants["acme"].suspended


def test_what_is_no_longer_declared_goes_or_is_no_longer_marked(plant):
    plant.begin(ALL)
    plant.begin(Declared(SITE))
    assert plant.snapshot.deployments == {}
    assert plant.snapshot.tenants["acme"].declared is False
    assert plant.snapshot.models["smol"].declared is False


def test_what_was_added_by_command_survives_a_restart(plant):
    plant.tenants.add("op", "kept")
    plant.begin()
    assert "kept" in plant.snapshot.tenants


def test_a_revoked_key_is_not_brought_back_and_a_lost_file_locks_nobody_out(plant):
    first = Key("first", None, Role.OPERATOR, "00", declared=True)
    other = Key("other", None, Role.OPERATOR, "01", declared=True)
    with_keys = replace(ALL, keys=(first, other))
    plant.begin(with_keys)
    plant.keys.revoke("op", "first")
    plant.begin(with_keys)
    assert plant.snapshot.keys["first"].revoked
    plant.begin(ALL)
    assert not plant.snapshot.keys["other"].revoked
    assert not plant.snapshot.keys["other"].declared


def test_a_declared_key_that_was_rotated_still_ends(plant):
    first = Key("first", None, Role.OPERATOR, "00", declared=True)
    plant.begin(replace(ALL, keys=(first,)))
    old, new, _ = plant.keys.rotate("op", "first", 60)
    plant.begin(replace(ALL, keys=(first,)))
    assert plant.snapshot.keys["first"] == old
    assert old.expires_unix_s == plant.clock.unix_us() // 1_000_000 + 60
    assert plant.snapshot.keys[new.id] == new
    assert not new.declared


def test_the_token_of_a_server_that_is_no_longer_declared_is_forgotten(plant):
    place, url = Place("upstream-far", "DE", "DE"), "https://a.example"
    far = Deployment("far", EngineKind.OPENAI, "smol", place, url=url, upstream_model="m")
    far = replace(far, declared=True)
    plant.begin(Declared(SITE, models=(MODEL,), deployments=(far,), upstream_keys={"far": "token"}))
    assert plant.secrets.secrets().upstream_keys == {"far": "token"}
    plant.begin(Declared(SITE, models=(MODEL,)))
    assert plant.secrets.secrets().upstream_keys == {}
