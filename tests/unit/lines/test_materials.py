"""What the names of a line stand for: what its tenant has, and only then what others share."""

import pytest

from inland.decide.lines.fine_tuning import SUITE as JOBS
from inland.domain.assets import AssetKind
from inland.domain.errors import BadInput
from inland.lines import triggers
from tests.unit.lines.test_check import HELD, NOTES, TRAINED
from tests.unit.lines.test_fine_tuning import begun
from tests.unit.lines.world import SUITE, LineWorld


def shared(world: LineWorld, data: bytes, name: str, kind=AssetKind.DATASET, of=None) -> str:
    """Something of demo's, for acme too."""
    asset = world.add(data, of or world.other, name=name, kind=kind)
    world.plant.assets.share(world.operator, asset, ["acme"])
    return asset


@pytest.fixture
def ready(world: LineWorld) -> LineWorld:
    """A line, and all that it names."""
    world.add_suite()
    world.add(NOTES, name="notes")
    world.add(HELD, name="held")
    world.declare(TRAINED)
    return world


def test_what_another_tenant_shares_never_stands_for_what_the_tenant_has_itself(ready):
    kept = ready.room.lines.show("acme", "nightly")
    own = ready.room.runs.materials(kept)
    for number in range(1, 4):
        for name in ("notes", "held"):
            shared(ready, NOTES * number, name)
        shared(ready, SUITE * number, "sums", AssetKind.SUITE)
    assert ready.room.runs.materials(kept) == own
    newer = ready.add(NOTES * 2, name="notes")
    assert [one.asset for one in ready.room.runs.materials(kept).train] == [newer]


def test_what_is_shared_stands_for_a_name_that_the_tenant_has_nothing_under(world):
    world.add_suite()
    world.add(HELD, name="held")
    world.declare(TRAINED)
    kept = world.room.lines.show("acme", "nightly")
    shared(world, NOTES, "notes")
    theirs = shared(world, NOTES * 2, "notes")
    assert [one.asset for one in world.room.runs.materials(kept).train] == [theirs]


def test_what_several_tenants_share_under_one_name_stands_for_nothing(world):
    world.add_suite()
    world.add(HELD, name="held")
    world.declare(TRAINED)
    world.plant.tenants.add("op", "third")
    key, _ = world.plant.keys.add("op", "third", world.other.role)
    shared(world, NOTES, "notes")
    theirs = shared(world, NOTES * 2, "notes", of=key)
    kept = world.room.lines.show("acme", "nightly")
    with pytest.raises(BadInput, match="shared by demo, third") as refused:
        world.room.runs.materials(kept)
    assert refused.value.field == "data.train"
    world.declare(TRAINED.replace('"notes"', f'"asset:{theirs}"'))
    kept = world.room.lines.show("acme", "nightly")
    assert [one.asset for one in world.room.runs.materials(kept).train] == [theirs]


def test_what_another_tenant_shares_begins_no_run_of_a_line_that_does_not_learn_from_it(
    ready, monkeypatch
):
    monkeypatch.setattr(triggers, "LOOK_EVERY_S", 0.0)
    ready.declare(TRAINED + '\n[[trigger]]\non = "data"\n')
    ready.plant.clock.sleep(10)
    shared(ready, NOTES * 2, "notes")
    ready.room.triggers.step()
    assert ready.room.runs.all("acme") == []
    ready.add(NOTES * 3, name="notes")
    ready.room.triggers.step()
    assert len(ready.room.runs.all("acme")) == 1


def test_a_suite_that_is_shared_is_not_the_one_that_holds_a_tenants_jobs(world):
    theirs = shared(world, SUITE, JOBS, AssetKind.SUITE)
    (held,) = begun(world).run.materials.suites
    assert held.asset != theirs
    assert world.plant.assets.show(world.admin, held.asset).tenant == "acme"
