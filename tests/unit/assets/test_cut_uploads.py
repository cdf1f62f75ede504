"""Uploads that are cut, raced or left: what counts as received opens; nothing else goes live."""

import threading
from collections.abc import Iterable
from contextlib import contextmanager

import pytest

from inland.domain.assets import AssetState
from inland.domain.errors import Conflict, Damaged, NotFound
from inland.plant.asset_claims import Claims
from inland.ports.blobs import BlobsAway
from inland.ports.keys import KeyName, KeyWithdrawn
from inland.ports.vault import PartName
from tests.patience import PATIENCE_S
from tests.unit.assets.world import CANARY, STEP, World

DATA = bytes(range(STEP)) + CANARY


def test_two_puts_of_one_part_leave_the_proof_of_what_lies_there(world: World, monkeypatch):
    """The first is held between its content and its row until the second was let try."""
    asset = world.begin(DATA)
    vault, sealed, go_on = world.plant.vault, threading.Event(), threading.Event()
    take, order = vault.take, []

    def held(part: PartName, size: int, pieces: Iterable[bytes]) -> bytes:
        order.append(threading.current_thread())
        proof = take(part, size, pieces)
        if order[0] is threading.current_thread():
            sealed.set()
            assert go_on.wait(PATIENCE_S)
        return proof

    monkeypatch.setattr(vault, "take", held)
    first, second = (threading.Thread(target=world.put, args=(asset, DATA)) for _ in range(2))
    first.start()
    assert sealed.wait(PATIENCE_S)
    second.start()
    second.join(1)  # it ends here where nothing makes it wait
    go_on.set()
    for thread in (first, second):
        thread.join(PATIENCE_S)
    world.plant.uploads.finish(world.member, asset)
    assert world.read(asset) == DATA


def test_a_part_whose_replacing_was_cut_counts_as_missing(world: World, monkeypatch):
    asset = world.begin(DATA, resume="file")
    world.put(asset, DATA)
    take = world.plant.vault.take

    def cut(part: PartName, size: int, pieces: Iterable[bytes]) -> bytes:
        take(part, size, pieces)
        raise OSError("cut")

    with monkeypatch.context() as cutting:
        cutting.setattr(world.plant.vault, "take", cut)
        with pytest.raises(OSError, match="cut"):
            world.plant.uploads.put(world.member, asset, 0, DATA[:STEP])
    world = world.again()
    assert world.plant.uploads.received(world.member, asset).received == (1,)
    with pytest.raises(Conflict, match="part 0 is missing"):
        world.plant.uploads.finish(world.member, asset)
    world.plant.uploads.put(world.member, asset, 0, DATA[:STEP])
    world.plant.uploads.finish(world.member, asset)
    assert world.read(asset) == DATA
    world.plant.store.close()


def test_an_upload_whose_removal_was_cut_is_not_gone_on_with_and_is_removed(
    world: World, monkeypatch
):
    asset = world.begin(DATA, resume="file")
    world.put(asset, DATA)

    def cut(name: str) -> None:
        raise OSError("cut")

    with monkeypatch.context() as cutting:
        cutting.setattr(world.plant.blobs, "remove", cut)
        with pytest.raises(BlobsAway, match="cut"):
            world.plant.uploads.give_up(world.member, asset)
    world = world.again()
    other = world.begin(DATA, resume="file")
    assert other != asset
    with pytest.raises(Conflict, match="missing"):
        world.plant.uploads.finish(world.member, asset)
    world.put(other, DATA)
    world.plant.uploads.finish(world.member, other)
    world.plant.clock.sleep(world.plant.limits.upload_s + 60)
    world.plant.upkeep.step()
    with pytest.raises(NotFound):
        world.plant.uploads.received(world.member, asset)
    assert list(world.plant.vault.assets()) == [("acme", other)]
    assert world.read(other) == DATA
    world.plant.store.close()


def test_an_upload_that_somebody_went_on_with_just_now_is_not_removed(world: World, monkeypatch):
    asset = world.begin(DATA)
    world.plant.clock.sleep(world.plant.limits.upload_s + 60)
    whole = Claims.whole

    @contextmanager
    def late(claims: Claims, claimed: str):
        world.plant.uploads.put(world.member, claimed, 0, DATA[:STEP])
        with whole(claims, claimed):
            yield

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Claims, "whole", late)
        world.plant.upkeep.step()
    assert world.plant.uploads.received(world.member, asset).received == (0,)
    world.put(asset, DATA)
    world.plant.uploads.finish(world.member, asset)
    assert world.read(asset) == DATA


def test_an_operator_erases_what_a_tenant_withdrew_its_keys_of(world: World):
    asset = world.add(DATA)
    made = world.add(DATA, name="made", parents=(asset,))
    kept = world.add(DATA, name="kept")
    world.plant.vault_room.withdraw("op", "acme")
    erased = world.plant.erasures.erase(world.operator, asset)
    assert set(erased.erased) == {asset, made}
    world.plant.vault_room.give_back("op", "acme")
    assert list(world.plant.vault.assets()) == [("acme", kept)]
    assert world.plant.assets.show(world.admin, made).state is AssetState.ERASED
    assert world.read(kept) == DATA


@pytest.mark.parametrize("left", ["key", "parts"])
def test_no_erase_is_certified_while_withdrawn_keys_could_open_something(
    world: World, monkeypatch, left: str
):
    asset = world.add(DATA)
    world.plant.vault_room.withdraw("op", "acme")

    def erase(tenant: str, asset: str, _: object) -> None:
        if left == "parts":
            world.plant.vault_keys.destroy(KeyName(tenant, asset))
        else:
            for name in list(world.plant.blobs.names(f"parts/{asset}/")):
                world.plant.blobs.remove(name)

    with monkeypatch.context() as lying:
        lying.setattr(world.plant.vault, "erase", erase)
        with pytest.raises(Damaged, match=left):
            world.plant.erasures.erase(world.operator, asset)
    assert world.said("asset.erase") == []
    world.plant.upkeep.step()
    assert len(world.said("asset.erase")) == 1
    with pytest.raises(KeyWithdrawn):
        world.plant.vault.get(PartName("acme", asset, 0))
