"""Exports under way: each part is decided on as it leaves, and what ends one half-way is booked."""

from collections.abc import Callable, Generator

import pytest

from inland.domain.errors import Conflict, Denied, NotFound
from inland.domain.labels import Classification
from inland.domain.plant import Key
from inland.plant.asset_terms import AssetTerms
from tests.unit.assets.world import STEP, TIGHT, World

DATA = bytes(range(STEP)) * 3


def kept_in(world: World, asset: str) -> None:
    world.plant.assets.relabel(world.member, asset, TIGHT)


def kept_secret(world: World, asset: str) -> None:
    secret = AssetTerms(classification=Classification.SECRET)
    world.plant.assets.relabel(world.member, asset, secret)


def without_its_tenant(world: World, _: str) -> None:
    world.plant.tenants.suspend("op", "acme")


def without_its_key(world: World, _: str) -> None:
    world.plant.keys.revoke("op", world.member.id)


FORBID = (kept_in, kept_secret, without_its_tenant, without_its_key)


@pytest.mark.parametrize("forbid", FORBID)
def test_what_forbids_an_export_ends_it_at_the_next_part(
    world: World, forbid: Callable[[World, str], None]
):
    asset = world.add(DATA)
    export = world.plant.exports.begin(world.member, asset).id
    read = world.plant.exports.parts(world.member, asset, export, range(3)).each
    assert next(read) == DATA[:STEP]
    forbid(world, asset)
    with pytest.raises(Denied):
        next(read)
    with pytest.raises(Conflict, match="2 parts were not read"):
        world.plant.exports.finish(world.member, asset, export)
    assert world.said("asset.export") == []


def left(world: World, asset: str, who: Key) -> Generator[memoryview, None, None]:
    """A file as it leaves, of which one part was read."""
    with world.plant.store.read() as transaction:
        row = transaction.assets.asset(asset)
    assert row is not None
    read = world.plant.room.files.read(who, row)
    assert next(read) == DATA[:STEP]
    return read


def test_a_file_that_nobody_reads_to_its_end_is_booked_as_not_done(world: World):
    asset = world.add(DATA)
    left(world, asset, world.member).close()
    (undone,) = world.said("asset.undo")
    assert undone["details"]["why"] == "given up after 1 parts"
    assert world.said("asset.export") == []
    assert b"".join(left(world, asset, world.member)) == DATA[STEP:]
    assert len(world.said("asset.export")) == len(world.said("asset.undo")) == 1


def test_a_file_that_fails_half_way_is_booked_as_not_done(world: World):
    asset = world.add(DATA)
    read = left(world, asset, world.member)
    kept_in(world, asset)
    with pytest.raises(Denied):
        next(read)
    (undone,) = world.said("asset.undo")
    assert undone["details"]["why"] == "given up after 1 parts"


def test_a_file_that_is_erased_as_it_leaves_is_nothing_more_to_give_up(world: World):
    asset = world.add(DATA)
    read, hung_up = left(world, asset, world.member), left(world, asset, world.member)
    world.plant.erasures.erase(world.admin, asset)
    with pytest.raises(NotFound, match="export"):
        next(read)
    hung_up.close()
    assert world.said("asset.export") == []
