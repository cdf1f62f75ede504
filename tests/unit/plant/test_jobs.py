"""Jobs are decided and booked before anything is opened, and end when they may not go on."""

import pytest

from inland.domain.assets import Action
from inland.domain.errors import BadInput, Conflict, Denied, NotFound
from inland.domain.labels import Purpose
from inland.plant import killed
from inland.plant.asset_terms import AssetTerms
from inland.plant.jobs import JobOrder, JobState
from tests.patience import PATIENCE_S, until
from tests.unit.assets.world import CANARY, TIGHT, World, small_parts


@pytest.fixture
def world(tmp_path, monkeypatch):
    small_parts(monkeypatch)
    made = World(tmp_path)
    yield made
    made.plant.jobs.end_all()
    made.plant.store.close()


@pytest.fixture
def jobs(world):
    return world.plant.jobs


def order(asset, **more):
    given = {"tenant": "acme", "purpose": Action.TRAIN, "assets": (asset,), "command": ("true",)}
    return JobOrder(**given | more)


def running(world, asset, **more):
    """A job that runs, which was decided anew since it began, and the command that it runs."""
    job = world.plant.jobs.run(world.operator, order(asset, **more))
    until(lambda: world.plant.jobs.show(None, job.id).state is JobState.RUNNING)
    cell = world.plant.cells.begun[-1][1]
    assert cell.awaited.wait(PATIENCE_S)
    return job.id, cell


def over(world, job):
    until(lambda: world.plant.jobs.show(None, job).ended_unix_s is not None)
    return world.plant.jobs.show(None, job)


def test_who_holds_something_is_looked_at_again_and_again(world):
    holders = world.plant.holders
    holders.step()
    assert holders.rests()
    job, cell = running(world, world.add())
    holders.step()
    assert not holders.rests()
    cell.finish(0)
    over(world, job)
    assert holders.rests()


def test_it_reads_its_assets_and_leaves_an_asset_made_from_them(world, jobs):
    asset = world.add()
    job, cell = running(world, asset)
    assert cell.seen == {asset: CANARY * 7}
    (begun,) = world.said("job.begin")
    assert begun["id"] == job
    assert begun["details"]["decided_by"] == ["asset.use"]
    cell.finish(0, b"learnt " * 100)
    told = over(world, job)
    assert (told.state, told.exit_status, told.printed_bytes) == (JobState.DONE, 0, 700)
    assert world.read(told.output) == b"learnt " * 100
    made = world.plant.assets.show(world.member, told.output)
    assert (made.parents, made.run) == ((asset,), job)
    assert set(cell.told.output) == {0}, "what control held of it is wiped"
    (ended,) = world.said("job.end")
    assert (ended["details"]["job"], ended["details"]["output"]) == (job, told.output)


def test_a_job_that_fails_says_with_what(world):
    job, cell = running(world, world.add())
    cell.finish(3)
    told = over(world, job)
    assert (told.state, told.why, told.output) == (JobState.FAILED, "it ended with 3", None)


def test_what_a_label_or_a_tenant_does_not_allow_is_not_begun(world, jobs):
    served = world.add(terms=AssetTerms(purposes=(Purpose.SERVE,)))
    with pytest.raises(Denied):
        jobs.run(world.operator, order(served))
    others = world.add(who=world.other, tenant="demo", name="theirs")
    with pytest.raises(NotFound):
        jobs.run(world.operator, order(others))
    for wrong in ({"purpose": Action.SERVE}, {"assets": ()}, {"command": ()}, {"seconds": 0}):
        with pytest.raises(BadInput):
            jobs.run(world.operator, order(served, **wrong))
    assert world.said("job.begin") == []
    assert world.plant.cells.begun == []


def test_there_are_so_many_at_once_and_no_more(world, jobs):
    asset = world.add()
    for _ in range(world.plant.limits.jobs):
        running(world, asset)
    with pytest.raises(Conflict):
        jobs.run(world.operator, order(asset))


def test_a_withdrawal_ends_it_before_it_returns(world):
    job, cell = running(world, world.add())
    world.plant.vault_room.withdraw("op", "acme")
    assert cell.ends
    assert not cell.asks, "it is not asked: it holds what it may not"
    told = over(world, job)
    assert told.state is JobState.ENDED
    assert "withdrawn" in told.why


def test_a_share_that_is_taken_back_ends_who_it_was_for(world):
    asset = world.add()
    world.plant.assets.share(world.admin, asset, add=["demo"])
    theirs, other_cell = running(world, asset, tenant="demo")
    _, own_cell = running(world, asset)
    world.plant.assets.share(world.admin, asset, remove=["demo"])
    assert (other_cell.ends, own_cell.ends) == (1, 0)
    assert over(world, theirs).state is JobState.ENDED


def test_a_label_that_is_tightened_and_an_erase_end_it(world):
    for act in (
        lambda asset: world.plant.assets.relabel(
            world.admin, asset, AssetTerms(purposes=(Purpose.SERVE,))
        ),
        lambda asset: world.plant.erasures.erase(world.admin, asset),
    ):
        job, cell = running(world, world.add())
        act(world.plant.jobs.show(None, job).assets[0])
        assert cell.ends == 1
        assert over(world, job).state is JobState.ENDED


def test_one_that_is_slow_to_let_go_keeps_no_other_alive_and_opens_no_more(world, monkeypatch):
    monkeypatch.setattr(killed, "RELEASE_S", 0.05)
    theirs = world.add(who=world.other, tenant="demo", name="theirs")
    with world.slow_parts(monkeypatch, of=(asset := world.add())) as asked:
        slow = world.plant.jobs.run(world.operator, order(asset)).id
        until(lambda: asked)
        _, cell = running(world, theirs, tenant="demo")
        with pytest.raises(Conflict, match=slow):
            world.plant.assets.relabel(world.admin, asset, TIGHT)
        with pytest.raises(Conflict, match=slow):
            world.plant.vault_room.withdraw("op", "demo")
        assert cell.ends == 1
    told = over(world, slow)
    assert (told.state, len(asked)) == (JobState.ENDED, 1)


def test_a_job_is_its_tenants_to_see_and_to_stop(world, jobs):
    job, cell = running(world, world.add())
    for act in (lambda: jobs.show("demo", job), lambda: jobs.stop("k", "demo", job)):
        with pytest.raises(NotFound):
            act()
    assert jobs.all("demo") == []
    assert [one.id for one in jobs.all("acme")] == [job]
    assert jobs.stop("k", "acme", job).why == "stopped by k"
    assert (cell.asks, cell.ends) == (1, 1)


def test_one_that_ended_with_its_control_is_booked_by_the_next(world):
    job, cell = running(world, world.add())
    with world.plant.store.read() as transaction:
        kept = transaction.assets.intent(job)
    assert kept is not None
    work = world.plant.jobs._works.pop(job)
    world.plant.clock.sleep(10)
    world.plant.upkeep.step()
    (ended,) = world.said("job.end")
    assert (ended["details"]["job"], ended["details"]["why"]) == (job, "control ended")
    cell.finish(0)
    assert work.over.wait(PATIENCE_S), "its thread is done with the database"
