"""Whoever was handed a tenant's weights is looked at until it is known that it may have them."""

from dataclasses import replace

from inland.domain.assets import AssetKind
from inland.plant.models import model_of_asset
from tests.unit.assets.world import World, small_parts
from tests.unit.plant.parts import SERVED


def test_what_was_handed_over_is_looked_at_again(tmp_path, monkeypatch):
    small_parts(monkeypatch)
    world = World(tmp_path)
    plant, asset = world.plant, world.add(kind=AssetKind.MODEL, name="own")
    with plant.changes.change("op") as change:
        row = change.assets.asset(asset)
        assert row is not None
        change.state.put_model(model_of_asset(row, change.state.tenant("acme"), None))
        served = replace(SERVED, name="mine", model=asset, declared=False)
        change.state.put_deployment(served)
        change.touch()
    plant.runner.restart("mine-0")
    plant.holders.step()
    assert plant.holders.rests()
    view = plant.runner.views["mine-0"]
    for file in plant.holders.weights(view.name, view.pid):
        file.close()
    assert not plant.holders.rests(), "a change may have been settled before this was known"
    plant.holders.step()
    assert plant.holders.rests()
    plant.store.close()
