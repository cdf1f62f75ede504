"""Releases move by their table: signed when they are approved, out when engines have them."""

import json
from base64 import b64decode
from dataclasses import replace
from hashlib import sha256

import pytest

from inland.adapters.weights.envelope import ModelsKey
from inland.adapters.weights.shelf import Shelf
from inland.decide.lines.rollout import LINGER_S, Seen
from inland.domain.assets import AssetKind
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.domain.feedback import Said
from inland.domain.plant import Replica, ReplicaState
from inland.domain.releases import Evidence, Pace, ReleaseState
from inland.domain.thumbs import Thumb, Thumbs
from inland.plant.models import model_of_asset
from inland.plant.release_orders import Order
from inland.plant.release_traffic import ReleaseTraffic
from inland.plant.releases import Releases
from tests.unit.assets.world import World, small_parts
from tests.unit.plant.parts import SITE

PACE = Pace(percents=(10, 50), soak_s=60, samples=5)


class Stand:
    """A world with releases; what they come to and what engines have is a test's to say."""

    def __init__(self, world: World, home) -> None:
        self.world, self.plant = world, world.plant
        self.seen = (Seen(), Seen())
        self.releases = Releases(
            self.plant.changes,
            self.plant.room.rulings,
            self._vetted,
            ModelsKey(Shelf(home)),
            lambda _: self.seen,
        )

    def _vetted(self, asset, kind):
        with self.plant.store.read() as transaction:
            row = transaction.assets.asset(asset)
            assert row is not None
            return model_of_asset(row, transaction.state.tenant(row.tenant), None)

    def proposed(self, name="notes", **more):
        adapter = self.world.add(kind=AssetKind.ADAPTER, name=f"a{self.plant.entropy(4).hex()}")
        order = Order(name, "smollm2", adapter, **{"pace": PACE} | more)
        return self.releases.propose(self.world.operator, order)

    def approved(self, name="notes", **more):
        return self.releases.approve(self.world.operator, None, self.proposed(name, **more).id)

    def engines(self, *lists, state=ReplicaState.READY) -> None:
        """The replicas there are, by their adapters."""
        with self.plant.changes.change("test") as change:
            for replica in change.state.replicas():
                change.state.remove_replica(replica)
            for number, adapters in enumerate(lists):
                made = Replica(f"smollm2-{number}", "smollm2", state, "x", SITE, adapters=adapters)
                change.state.put_replica(made)
            change.touch()

    def live(self, name="notes"):
        one = self.approved(name)
        with self.plant.store.read() as transaction:
            there = transaction.state.releases().values()
        self.engines(tuple(sorted({each.adapter for each in there})))
        self.releases.step()
        return one

    def state(self, release):
        return self.releases.show(None, release.id).state

    def serving(self):
        return {one.release: one.percent for one in self.plant.snapshot.serving.values()}


@pytest.fixture
def stand(tmp_path, monkeypatch):
    small_parts(monkeypatch)
    made = World(tmp_path)
    yield Stand(made, tmp_path)
    made.plant.store.close()


def test_it_answers_when_every_engine_has_it(stand):
    one = stand.approved()
    stand.engines((), (one.adapter,))
    stand.releases.step()
    assert stand.state(one) is ReleaseState.APPROVED
    stand.engines((one.adapter,), (one.adapter,))
    stand.releases.step()
    assert stand.state(one) is ReleaseState.LIVE
    assert stand.serving() == {one.id: 100}


def test_another_goes_out_step_by_step_and_takes_its_place(stand):
    first, second = stand.live(), stand.live()
    assert stand.serving() == {first.id: 100, second.id: 10}
    stand.seen = (Seen(5), Seen(5))
    stand.releases.step()
    assert stand.serving()[second.id] == 10, "its time is not over"
    stand.plant.clock.sleep(60)
    stand.releases.step()
    assert stand.serving()[second.id] == 50
    stand.plant.clock.sleep(60)
    stand.releases.step()
    assert stand.serving() == {second.id: 100}
    assert stand.state(first) is ReleaseState.RETIRED


def test_what_is_worse_is_taken_back_by_itself(stand):
    first, second = stand.live(), stand.live()
    stand.seen = (Seen(5, errors=5), Seen(500))
    stand.releases.step()
    assert stand.serving() == {first.id: 100}
    told = stand.releases.show(None, second.id)
    assert told.state is ReleaseState.ROLLED_BACK
    assert told.why.startswith("100.0 % errors")


def test_what_was_live_before_is_live_again_in_one_step(stand):
    first, second = stand.live(), stand.approved(pace=replace(PACE, percents=()))
    stand.engines((first.adapter, second.adapter))
    stand.releases.step()
    assert stand.serving() == {second.id: 100}
    stand.releases.rollback(stand.world.operator, None, second.id)
    assert stand.serving() == {first.id: 100}
    stand.releases.rollback(stand.world.operator, None, first.id)
    assert stand.serving() == {}


def test_one_that_cannot_be_loaded_is_found_among_others(stand):
    made = [stand.approved(f"n{number}") for number in range(4)]
    broken = made[2]
    out: set[str] = set()
    for _ in range(20):
        with stand.plant.store.read() as transaction:
            there = transaction.state.releases().values()
        wanted = [one for one in there if one.state is ReleaseState.APPROVED and not one.waits]
        adapters = tuple(sorted({*out, *(one.adapter for one in wanted)}))
        bad = broken.adapter in adapters
        stand.engines(adapters, state=ReplicaState.FAILED if bad else ReplicaState.READY)
        out |= set() if bad else set(adapters)
        stand.releases.step()
    assert stand.state(broken) is ReleaseState.ROLLED_BACK
    assert [stand.state(one) for one in made if one is not broken] == [ReleaseState.LIVE] * 3


def test_an_erase_retires_its_releases(stand):
    one = stand.live()
    stand.world.plant.erasures.erase(stand.world.admin, one.adapter)
    told = stand.releases.show(None, one.id)
    assert (told.state, told.why, told.past) == (
        ReleaseState.RETIRED,
        "its adapter is erased",
        True,
    )
    assert stand.serving() == {}
    with pytest.raises(Conflict, match="it is retired"):
        stand.releases.approve(stand.world.operator, None, one.id)


def test_a_deployment_that_goes_retires_them(stand):
    with stand.plant.changes.change("test") as change:
        made = replace(change.state.deployments()["smollm2"], declared=False)
        change.state.put_deployment(made)
        change.touch()
    one = stand.live()
    stand.plant.deployments.remove("op", "smollm2")
    assert stand.state(one) is ReleaseState.RETIRED


def test_what_is_approved_is_signed_with_all_that_was_said_of_it(stand, tmp_path):
    said = Evidence(
        "run-1", "1.0", ("sha256:" + "1" * 64,), {"rank": "16"}, {"holdout": "0.9"}, "y"
    )
    one = stand.approved(evidence=said)
    signed = json.loads(stand.releases.signed("acme", one.id))
    payload = b64decode(signed["payload"])
    assert sha256(payload).hexdigest() == one.statement
    told = json.loads(payload)["predicate"]
    build = told["buildDefinition"]
    assert build["externalParameters"] == {"rank": "16"}
    assert build["internalParameters"] == {
        "deployment": "smollm2", "scores": {"holdout": "0.9"}, "gate": "y",
    }  # fmt: skip
    assert build["resolvedDependencies"][1]["digest"] == {"sha256": "1" * 64}
    assert told["runDetails"]["metadata"]["invocationId"] == "run-1"
    (approval,) = told["runDetails"]["byproducts"]
    assert approval["annotations"]["approved_by"] == stand.world.operator.id
    assert stand.world.said("release.approve")[0]["details"]["statement"] == one.statement


def test_another_tenant_knows_of_none(stand):
    one = stand.approved()
    for ask in (
        lambda: stand.releases.show("demo", one.id),
        lambda: stand.releases.signed("demo", one.id),
        lambda: stand.releases.approve(stand.world.operator, "demo", one.id),
        lambda: stand.releases.rollback(stand.world.operator, "demo", one.id),
    ):
        with pytest.raises(NotFound):
            ask()
    assert stand.releases.all("demo") == []


def test_what_does_not_fit_is_refused(stand):
    with pytest.raises(Conflict, match="a deployment has it"):
        stand.proposed("smollm2")
    with pytest.raises(BadInput, match="rising whole numbers"):
        stand.proposed(pace=replace(PACE, percents=(50, 10)))
    with pytest.raises(BadInput, match="use a-z"):
        stand.proposed("No Name")
    stand.approved()
    with pytest.raises(Conflict, match="let it end, or roll it back"):
        stand.approved()


def test_what_nobody_waits_for_any_more_is_past(stand):
    first, second = stand.live(), stand.live()
    stand.releases.rollback(stand.world.operator, None, second.id)
    stand.plant.clock.sleep(LINGER_S)
    stand.releases.step()
    assert stand.releases.show(None, second.id).past
    assert not stand.releases.show(None, first.id).past


def test_what_it_was_judged_by_is_shown_and_on_the_books(stand):
    first, second = stand.live(), stand.live()
    stand.seen = (Seen(5, thumb=Thumb(9, 9)), Seen(500, 2, 90))
    stand.releases.step()
    shown = stand.releases.show(None, second.id).compared
    assert shown["candidate"]["thumbs_up"] == 9
    assert shown["incumbent"] == Seen(500, 2, 90).figures()
    stand.seen = (Seen(5, thumb=Thumb(0, 40)), Seen(500, 2, 90, Thumb(40, 40)))
    stand.releases.step()
    assert stand.serving() == {first.id: 100}
    told = stand.releases.show(None, second.id)
    assert told.why.startswith("a live score of 0 % of 40 thumbs up")
    (back,) = stand.world.said("release.rollback")
    assert back["details"]["compared"] == told.compared
    assert told.compared["candidate"]["thumbs"] == 40


def test_one_tenants_thumbs_judge_its_own_releases(stand):
    _, second = stand.live(), stand.live()
    room, release = stand.plant.room.feedback, stand.releases.show(None, second.id)
    traffic = ReleaseTraffic(list, room.thumbs)

    def say(key, number, thumbs):
        record = {"id": f"r{number}", "tenant": key.tenant, "deployment": "smollm2"}
        if key.tenant == second.tenant:
            record["release"] = {"id": second.id, "name": second.name}
        room.give(key, record, Said(thumbs))

    say(stand.world.member, 0, Thumbs.UP)
    say(stand.world.member, 1, Thumbs.DOWN)
    say(stand.world.other, 2, Thumbs.DOWN)
    candidate, incumbent = traffic.of(release)
    assert (candidate.thumb, incumbent.thumb) == (Thumb(1, 2), Thumb())
    say(stand.world.member, 1, Thumbs.UP)
    assert traffic.of(release)[0].thumb == Thumb(2, 2)
    later = replace(release, out_unix_s=release.out_unix_s + 10_000)
    assert traffic.of(later)[0].thumb == Thumb()
