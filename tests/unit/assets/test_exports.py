"""Exports under way: each part is decided on as it leaves, and what ends one half-way is booked."""

from collections.abc import Callable

import pytest

from inland.domain.errors import Conflict, Denied
from inland.domain.labels import Classification
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
