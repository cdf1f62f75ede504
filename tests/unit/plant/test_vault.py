"""Withdrawals hold in the state and with whoever keeps the keys; `check` finds what is wrong."""

from dataclasses import replace
from threading import Event, Thread

import pytest

from inland.domain.errors import NotFound
from inland.plant.vault import Finding, Wrong
from inland.ports.keys import KeyName, KeysAway, KeyWithdrawn
from inland.ports.vault import PartName
from tests.patience import PATIENCE_S, until
from tests.unit.assets.world import STEP, World, small_parts
from tests.unit.plant.parts import MODEL


@pytest.fixture
def world(tmp_path, monkeypatch):
    small_parts(monkeypatch)
    made = World(tmp_path)
    yield made
    made.plant.store.close()


@pytest.fixture
def plant(world):
    return world.plant


@pytest.fixture
def asset(world):
    """A live asset of acme's, two parts long."""
    return world.add(b"x" * (STEP + 1))


def test_a_withdrawal_is_in_force_when_it_returns_and_on_the_books(world, plant, asset):
    told = plant.vault_room.withdraw("op", "acme")
    assert told.withdrawn
    assert plant.feed.published[-1].tenants["acme"].withdrawn
    assert plant.feed.waited[-1] == plant.feed.published[-1].version
    with pytest.raises(KeyWithdrawn):
        plant.vault.get(PartName("acme", asset, 0))
    plant.vault_room.withdraw("op", "acme")
    assert len(world.said("vault.withdraw")) == 1
    assert not plant.vault_room.give_back("op", "acme").withdrawn
    assert plant.vault.get(PartName("acme", asset, 1)) == b"x"
    assert not plant.feed.published[-1].tenants["acme"].withdrawn
    assert len(world.said("vault.give-back")) == 1


def test_nobody_withdraws_for_a_tenant_that_is_not_there(plant):
    for call in (plant.vault_room.withdraw, plant.vault_room.give_back):
        with pytest.raises(NotFound):
            call("op", "nobody")
    assert plant.vault_keys.withdrawn() == frozenset()


def test_a_withdrawal_that_was_cut_off_is_finished(plant, asset, monkeypatch):
    def away(tenant: str) -> None:
        raise KeysAway("the power went")

    with monkeypatch.context() as cut:
        cut.setattr(plant.vault_keys, "withdraw", away)
        with pytest.raises(KeysAway):
            plant.vault_room.withdraw("op", "acme")
    assert plant.feed.published[-1].tenants["acme"].withdrawn, "it is refused already"
    assert plant.feed.waited[-1] == plant.feed.published[-1].version
    assert plant.vault_keys.withdrawn() == frozenset()
    plant.vault_room.step()
    assert plant.vault_keys.withdrawn() == {"acme"}


@pytest.fixture
def aside():
    """Begins something on a thread, which has ended when the test has."""
    threads = []

    def begin(run, *words):
        threads.append(Thread(target=run, args=words))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_a_withdrawal_waits_for_no_look_at_the_keeper(plant, aside, monkeypatch):
    asked, going = Event(), Event()

    def slowly() -> frozenset[str]:
        asked.set()
        assert going.wait(PATIENCE_S)
        return frozenset()

    monkeypatch.setattr(plant.vault_keys, "withdrawn", slowly)
    aside(plant.vault_room.step)
    assert asked.wait(PATIENCE_S)
    try:
        withdrawal = Thread(target=plant.vault_room.withdraw, args=("op", "acme"), daemon=True)
        withdrawal.start()
        withdrawal.join(PATIENCE_S / 2)  # the look has not ended by then
        assert not withdrawal.is_alive()
    finally:
        going.set()


def test_what_is_held_dies_while_the_keeper_is_asked(plant, aside, monkeypatch):
    with plant.changes.change("op") as change:
        change.state.put_model(replace(MODEL, label=replace(MODEL.label, owner="acme")))
        change.touch()
    plant.runner.restart("smollm2-0")
    going, keep = Event(), plant.vault_keys.withdraw

    def slowly(tenant: str) -> None:
        assert going.wait(PATIENCE_S)
        keep(tenant)

    monkeypatch.setattr(plant.vault_keys, "withdraw", slowly)
    aside(plant.vault_room.withdraw, "op", "acme")
    try:
        until(lambda: plant.runner.ended == ("engine-smollm2-0",))
        assert plant.vault_keys.withdrawn() == frozenset()
        assert plant.feed.published[-1].tenants["acme"].withdrawn
    finally:
        going.set()


@pytest.mark.parametrize("given_back", [True, False])
def test_what_changes_while_the_keeper_is_asked_is_no_old_looks_to_undo(
    plant, monkeypatch, given_back
):
    room, ask = plant.vault_room, plant.vault_keys.withdrawn
    if given_back:
        room.withdraw("op", "acme")

    def while_asked():
        told = ask()
        (room.give_back if given_back else room.withdraw)("op", "acme")
        return told

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(plant.vault_keys, "withdrawn", while_asked)
        room.step()
    for _ in range(2):
        assert plant.feed.published[-1].tenants["acme"].withdrawn is not given_back
        assert ("acme" in plant.vault_keys.withdrawn()) is not given_back
        room.step()


def test_a_withdrawal_beside_one_that_gives_back_holds(plant, aside, monkeypatch):
    room, given, going = plant.vault_room, Event(), Event()
    room.withdraw("op", "acme")
    give_back = plant.vault_keys.give_back

    def slowly(tenant: str) -> None:
        give_back(tenant)
        given.set()
        assert going.wait(PATIENCE_S)

    monkeypatch.setattr(plant.vault_keys, "give_back", slowly)
    aside(room.give_back, "op", "acme")
    assert given.wait(PATIENCE_S)
    told, settle = [], Event()
    monkeypatch.setattr(room, "_settle", settle.set)
    aside(lambda: told.append(room.withdraw("op", "acme")))
    try:
        assert settle.wait(PATIENCE_S)
    finally:
        going.set()
    until(lambda: told)
    assert told[0].withdrawn
    assert plant.vault_keys.withdrawn() == {"acme"}


def test_what_the_keeper_says_is_withdrawn_is(world, plant):
    """An older database was put back, or the tenant's own people did it there."""
    plant.vault_keys.withdraw("acme")
    plant.vault_room.step()
    assert plant.feed.published[-1].tenants["acme"].withdrawn
    assert len(world.said("vault.withdraw")) == 1
    plant.vault_room.step()
    assert len(world.said("vault.withdraw")) == 1


def test_a_vault_as_it_should_be_has_no_findings(plant, asset):
    assert list(plant.vault_room.check(repair=True)) == []
    assert plant.vault.get(PartName("acme", asset, 0))


def test_what_no_asset_has_is_found_and_removed(plant, asset):
    plant.vault.put(PartName("acme", "0198c2a1-orphan", 0), b"x")
    plant.vault.put(PartName("acme", "0198c2a1-keyless", 0), b"x")
    plant.vault_keys.destroy(KeyName("acme", "0198c2a1-keyless"))
    plant.vault_keys.make(KeyName("acme", "0198c2a1-key"))
    found = {
        ("acme", "0198c2a1-orphan"),
        ("", "0198c2a1-keyless"),
        ("acme", "0198c2a1-key"),
    }
    told = list(plant.vault_room.check(repair=False))
    assert {(one.tenant, one.asset) for one in told} == found
    assert {(one.wrong, one.repaired) for one in told} == {(Wrong.ORPHAN, False)}
    assert len(list(plant.vault_room.check(repair=True))) == 3
    assert list(plant.vault_room.check(repair=False)) == []
    assert {name.split("/")[1] for name in plant.blobs.names()} == {asset}
    assert plant.vault.get(PartName("acme", asset, 0))


def test_parts_that_are_missing_or_do_not_open_are_found(plant, asset):
    first, second = plant.blobs.names(f"parts/{asset}/")
    plant.blobs.put(first, plant.blobs.get(first)[:-1])
    plant.blobs.remove(second)
    assert list(plant.vault_room.check(repair=True)) == [
        Finding(Wrong.DAMAGED, "acme", asset, 0),
        Finding(Wrong.MISSING, "acme", asset, 1),
    ]


def test_a_part_that_is_another_than_the_books_know_is_found(plant, asset):
    """It opens, and no export would take it: an older sealing was put back, or no row knows it."""
    plant.vault.put(PartName("acme", asset, 0), b"x" * STEP)
    assert list(plant.vault_room.check(repair=True)) == [Finding(Wrong.DAMAGED, "acme", asset, 0)]
    with plant.store.write() as transaction:
        transaction.assets.remove_part(asset, 0)
    assert list(plant.vault_room.check(repair=True)) == [Finding(Wrong.DAMAGED, "acme", asset, 0)]


def test_an_asset_whose_key_is_gone_or_withdrawn_is_said_once(plant, asset):
    plant.vault_room.withdraw("op", "acme")
    assert list(plant.vault_room.check(repair=True)) == [Finding(Wrong.WITHDRAWN, "acme", asset)]
    plant.vault_room.give_back("op", "acme")
    plant.vault_keys.destroy(KeyName("acme", asset))
    assert list(plant.vault_room.check(repair=True)) == [Finding(Wrong.KEYLESS, "acme", asset)]
    assert len(list(plant.blobs.names())) == 2, "its books still have it: nothing is removed"


def test_what_is_being_uploaded_is_left_alone(world, plant):
    upload = world.begin(b"x" * STEP)
    plant.vault.put(PartName("acme", upload, 0), b"x")
    assert list(plant.vault_room.check(repair=True)) == []
    assert plant.vault.get(PartName("acme", upload, 0)) == b"x"


def test_a_deployment_of_a_withdrawn_tenants_model_has_no_engine(plant):
    with plant.changes.change("op") as change:
        change.state.put_model(replace(MODEL, label=replace(MODEL.label, owner="acme")))
        change.touch()
    assert plant.holders.held_back() == {}
    plant.runner.restart("smollm2-0")
    plant.vault_room.withdraw("op", "acme")
    assert plant.holders.held_back() == {"smol": "acme has withdrawn its keys"}
    assert plant.runner.ended == ("engine-smollm2-0",)
    plant.vault_room.give_back("op", "acme")
    assert plant.holders.held_back() == {}


def test_the_vault_says_how_it_is(plant, monkeypatch):
    status = plant.vault_room.status()
    assert (status.keys, status.blobs, status.keys_away, status.blobs_away) == (
        *("embedded", "folder"),
        *("", ""),
    )

    def away() -> None:
        raise KeysAway("sealed")

    monkeypatch.setattr(plant.vault_keys, "demand", away)
    plant.vault_room.withdraw("op", "acme")
    status = plant.vault_room.status()
    assert (status.keys_away, status.withdrawn) == ("sealed", ("acme",))
