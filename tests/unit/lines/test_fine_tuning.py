"""Fine-tuning jobs: each is a line of its own, declared and run both or neither, whose model serves
at once where it passed."""

from dataclasses import replace

import pytest

from inland.decide.lines.fine_tuning import SUITE
from inland.domain.assets import AssetKind
from inland.domain.errors import BadInput, Conflict, Denied, NotFound
from inland.domain.labels import Purpose
from inland.domain.lines import RunState, StepKind
from inland.lines.fine_tuning import JOB, Job, NewJob
from inland.lines.keeping import LOOK_EVERY_S, Content, Making
from inland.plant.asset_terms import AssetTerms
from inland.plant.files import file_id
from tests.unit.lines.test_check import HELD, NOTES, label_acme
from tests.unit.lines.test_releasing import Factory, Models
from tests.unit.lines.world import SUITE as TASKS
from tests.unit.lines.world import LineWorld


@pytest.fixture
def factory(world: LineWorld) -> Factory:
    """With a suite of the tenant's own, by which its jobs are held."""
    world.tokens = Models()
    world.tokens.gate.set()
    world.room = world.made_room()
    label_acme(world, Purpose.SERVE, Purpose.TRAIN)
    return Factory(world)


def wanted(world: LineWorld, **more) -> NewJob:
    notes, held = (world.add(data, name="a file") for data in (NOTES, HELD))
    asked = NewJob(
        tenant="acme",
        model="smollm2",
        training=file_id(notes),
        validation=file_id(held),
        suffix="notes",
        epochs=2,
        batch=None,
        rate=0.5,
        seed=7,
        metadata={"ticket": "a-17"},
    )
    return replace(asked, **more)


def begun(world: LineWorld, **more) -> Job:
    return world.room.fine_tuning.begin(world.admin, wanted(world, **more))


def test_a_job_is_trained_gated_released_and_serves_under_its_name(factory):
    world = factory.world
    world.add_suite(TASKS, name=SUITE)
    job = begun(world)
    ended = factory.ended(job.run)
    assert ended.state is RunState.DONE, ended.why
    found = world.room.fine_tuning.show("acme", job.id)
    assert tuple(found.steps) == tuple(StepKind)
    assert found.line.release is not None
    assert found.line.release.startswith("ft-smollm2-notes-")
    assert factory.serving() == {job.run.id: 100}
    assert factory.release(job.run).name == found.line.release
    assert factory.release(job.run).approved_by == f"gate of line {found.line.name}"
    assert found.line.metadata == {"ticket": "a-17"}
    assert [one.id for one in world.room.fine_tuning.some("acme", None)] == [job.id]
    (asked,) = (one for one in world.tokens.models() if one != "smollm2")
    assert asked.startswith(found.line.name)


def test_what_forgot_more_than_its_gate_allows_serves_nobody(factory):
    world = factory.world
    world.add_suite(TASKS, name=SUITE)
    job = begun(world, validation=None)
    world.tokens.dull = frozenset({f"{job.line.name}@{job.run.id}"})
    ended = factory.ended(job.run)
    assert ended.state is RunState.REFUSED
    assert SUITE in ended.why
    assert factory.serving() == {}


def test_the_suite_that_ships_is_the_tenants_unless_it_has_one(world):
    for _ in range(2):
        job = begun(world)
        world.room.fine_tuning.cancel(world.member, "acme", job.id)
    suites = [one for one in world.plant.room.known.all(world.admin) if one.kind is AssetKind.SUITE]
    (shipped,) = suites
    assert (shipped.name, shipped.label.purposes) == (SUITE, (Purpose.EVALUATE,))
    own = world.add_suite(TASKS, name=SUITE)
    assert [one.asset for one in begun(world).run.materials.suites] == [own]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"training": "file-nothing"}, "training_file"),
        ({"training": "nothing"}, "training_file"),
        ({"validation": "file-nothing"}, "validation_file"),
        ({"model": "nothing"}, "model"),
        ({"model": "No Name"}, "model"),
        ({"suffix": "My Model"}, "suffix"),
        ({"rate": 1e6}, "hyperparameters.learning_rate_multiplier"),
        ({"epochs": 1001}, "hyperparameters.n_epochs"),
        ({"batch": 0}, "hyperparameters.batch_size"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name_and_leaves_nothing(world, more, field):
    with pytest.raises(BadInput) as refused:
        begun(world, **more)
    assert refused.value.field == field
    assert world.room.lines.all() == []
    assert world.said("line.add") == world.said("run.begin") == []
    assert all(one.kind is AssetKind.DATASET for one in world.plant.room.known.all(world.admin))


def test_a_model_that_was_trained_is_refused_with_what_it_is_trained_over(factory):
    world = factory.world
    world.add_suite(TASKS, name=SUITE)
    job = begun(world)
    factory.ended(job.run)
    with pytest.raises(BadInput, match="smollm2: give that"):
        begun(world, model=job.line.release)


def test_a_file_whose_label_forbids_it_begins_nothing(world):
    terms = AssetTerms(purposes=(Purpose.SERVE,))
    asset = world.add(NOTES, name="only served", terms=terms)
    with pytest.raises(Denied):
        begun(world, training=file_id(asset))
    assert world.room.lines.all() == []


def test_a_line_is_declared_and_run_both_or_neither(world):
    world.room.runs._most = 0
    with pytest.raises(Conflict, match=r"limits\.runs"):
        begun(world)
    assert world.room.lines.all() == []
    assert world.said("line.add") == []


def test_jobs_that_are_over_are_forgotten_beyond_those_that_are_kept(world):
    jobs = world.room.fine_tuning
    jobs._keep = 2
    world.declare()
    for _ in range(5):
        job = begun(world)
        jobs.cancel(world.member, "acme", job.id)
        world.plant.clock.sleep(1)
    last = begun(world)
    shown = [one.id for one in jobs.some("acme", None)]
    assert len(shown) == 3
    assert shown[0] == last.id
    kept = [one.line.name for one in world.room.lines.all("acme")]
    assert len(kept) == 4, "and the line that a person declared"
    assert [one.id for one in jobs.some("acme", shown[0])] == shown[1:]


def test_what_a_job_was_to_go_on_from_goes_with_it(world):
    jobs, keeper = world.room.fine_tuning, world.room.keeper
    jobs._keep = 0

    def cancelled():
        run = begun(world).run
        base = world.plant.snapshot.models[run.materials.model]
        making = Making(run, (run.materials.train[0].asset,), base)
        keeper.keep(making, AssetKind.CHECKPOINT, "c", Content.of(b"x"), "step 20")
        return jobs.cancel(world.member, "acme", f"{JOB}{run.id}")

    first, second = cancelled(), cancelled()
    world.plant.clock.sleep(LOOK_EVERY_S)
    keeper.step()
    assert keeper.made(first.run, AssetKind.CHECKPOINT) == []
    assert len(keeper.made(second.run, AssetKind.CHECKPOINT)) == 1, "it is shown, and resumed"
    begun(world)
    world.plant.clock.sleep(LOOK_EVERY_S)
    keeper.step()
    assert keeper.made(second.run, AssetKind.CHECKPOINT) == []


def test_another_tenants_job_is_none_nor_is_a_run_that_trains_nothing(world):
    world.add_suite()
    world.declare()
    untrained, job = world.start(), begun(world)
    told = set()
    for tenant, named in (
        ("demo", job.id),
        ("acme", f"ftjob-{untrained.id}"),
        ("acme", job.run.id),
        ("acme", "ftjob-nothing"),
    ):
        with pytest.raises(NotFound) as refused:
            world.room.fine_tuning.show(tenant, named)
        told.add(str(refused.value).replace(named, "*"))
    assert len(told) == 1
    assert list(world.room.fine_tuning.some("demo", None)) == []
