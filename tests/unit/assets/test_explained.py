"""Which rule decides about an asset, and which did: for those who may know everything."""

import pytest

from inland.domain.errors import BadInput, NotFound
from inland.plant.explain import Explain, Question
from tests.unit.assets.world import World
from tests.unit.plant.parts import SITE


class _Records:
    """As the books, of the records that a world has."""

    def __init__(self, world: World) -> None:
        self._records = {one["id"]: one for one in world.plant.records()}

    def locate(self, ref: str):
        return (None, self._records[ref]) if ref in self._records else None


def _explain(world: World) -> Explain:
    return Explain(world.plant.changes, _Records(world), SITE)


def test_a_question_about_an_asset_is_answered_by_the_policy_in_force(world: World):
    asset, explain = world.add(), _explain(world)
    told = explain.question(Question("acme", "train", asset=asset))
    assert (told["decision"], told["decided_by"]) == ("allow", ["asset.use"])
    assert told["asset"] == asset
    assert told["place"]["stands"] == "DE", "the site, unless it is said"
    far = explain.question(Question("acme", "train", asset=asset, place="US/DE"))
    assert (far["decision"], "asset.border" in far["rules"]) == ("deny", True)
    out = explain.question(Question(world.admin.id, "move", asset=asset, destination="FR"))
    assert (out["decided_by"], out["destination"]["stands"]) == (["asset.destination"], "FR")
    foreign = explain.question(Question("demo", "read", asset=asset))
    assert (foreign["visible"], foreign["decided_by"]) == (False, ["asset.owned-or-shared"])


def test_an_act_on_an_asset_is_explained_from_its_record(world: World):
    asset = world.add()
    world.plant.assets.share(world.admin, asset, ["demo"])
    (record,) = world.said("asset.share")
    told = _explain(world).record(record["id"])
    assert told is not None
    assert (told["decision"], told["decided_by"]) == ("allow", ["asset.share"])
    assert (told["action"], told["asset"], told["tenant"]) == ("asset.share", asset, "acme")
    assert told["key"] == world.admin.id
    assert "shared_with" not in told["rules"]["asset.share"]
    assert "tenant-admin" in told["rules"]["asset.share"]


def test_a_question_that_makes_no_sense_is_refused(world: World):
    asset, explain = world.add(), _explain(world)
    with pytest.raises(BadInput, match="none of serve, train, evaluate"):
        explain.question(Question("acme", "burn", asset=asset))
    with pytest.raises(BadInput, match="none of serve, train, evaluate"):
        explain.question(Question("acme", "move", deployment="smollm2"))
    with pytest.raises(BadInput, match="or about a deployment"):
        explain.question(Question("acme", "train", asset=asset, deployment="smollm2"))
    with pytest.raises(NotFound, match="'0'"):
        explain.question(Question("acme", "train", asset="0"))
    with pytest.raises(NotFound, match="'nobody'"):
        explain.question(Question("nobody", "train", asset=asset))
