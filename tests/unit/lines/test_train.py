"""Training is sealed as it goes, gone on with wherever it was cut, ended with the right to data."""

import json
from dataclasses import replace
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from inland.adapters.training import events
from inland.decide.lines.line_file import line_of
from inland.decide.lines.rehearsal import ANSWER_TOKENS, QUESTIONS
from inland.domain.assets import AssetKind, AssetState
from inland.domain.errors import BadInput, Denied
from inland.domain.labels import Purpose
from inland.domain.lines import Method, Run, RunState, Serves, StepKind, StepState
from inland.lines import keeping
from inland.lines.keeping import CHECKPOINTS
from inland.lines.steps.step import Outcome
from inland.lines.steps.train import ATTEMPTS, NICE
from inland.plant.asset_rulings import acting
from inland.plant.asset_terms import AssetTerms
from inland.plant.asset_upkeep import LOOK_EVERY_S
from inland.ports.trainer import Checkpoint, Progress, TrainOrder, TrainPlaces
from tests.training import fake_trainer
from tests.training.fake_trainer import FakeTrainer
from tests.unit.lines.test_check import NOTES, TRAINED, data, label_acme
from tests.unit.lines.world import BASE, LineWorld, shop

LINE = f"{TRAINED}epochs = 2\ncheckpoint_steps = 2\n"
METHOD = line_of(LINE).method or Method()
#: What the fake trainer says of such a line: steps, every second of them a checkpoint, its end.
SAID = 8 + 4 + 1
SCORES = {"sums": {"values": [1.0, 1.0], "point": 1.0, "low": 1.0, "high": 1.0, "count": 2}}


@pytest.fixture
def ready(world: LineWorld) -> LineWorld:
    """With data and a line that trains on it."""
    label_acme(world, Purpose.SERVE, Purpose.TRAIN)
    data(world)
    world.declare(LINE)
    return able(world)


def able(world: LineWorld) -> LineWorld:
    """As if everything but training were done by others, and came out well."""
    done = {kind: lambda _: Outcome({"scores": SCORES}) for kind in StepKind}
    kept = {kind: world.room.worker._kinds[kind] for kind in (StepKind.CHECK, StepKind.TRAIN)}
    world.room.worker._kinds.update({**done, **kept})
    return world


def next_control(world: LineWorld) -> None:
    world.room = world.made_room()
    able(world)


def alone(folder: Path, *rehearsed: bytes) -> tuple[str, str]:
    """What the trainer makes of it when nobody disturbs it: the digests of both files."""
    given = [BASE, NOTES, *rehearsed]
    paths = [folder / f"given-{number}" for number in range(len(given))]
    for path, content in zip(paths, given, strict=True):
        path.write_bytes(content)
    made = [folder / f"made-{number}" for number in range(4)]
    for path in made:
        path.touch()
    base, train, *more = map(str, paths)
    method = METHOD if not rehearsed else replace(METHOD, rehearsal=len(QUESTIONS[:3]))
    order = TrainOrder(base, (train,), (), method, 2, rehearsal=tuple(more))
    one, two, adapter, gguf = map(str, made)
    said: list = []
    words = FakeTrainer().words(order, TrainPlaces((one, two), adapter, gguf))
    fake_trainer.follow(words, said.append)
    assert len(said) == SAID
    return said[-1].gguf_sha256, said[-1].adapter_sha256


def outputs(world: LineWorld, run: Run) -> dict:
    step = world.steps(run)[StepKind.TRAIN]
    assert step.state is StepState.DONE, step.why
    found: dict = step.outputs
    return found


def digests(world: LineWorld, run: Run) -> tuple[str, str]:
    told = outputs(world, run)
    return told["digest"], told["safetensors"]


def rows(world: LineWorld, kind: AssetKind, *states: AssetState) -> list:
    with world.plant.store.read() as transaction:
        found = transaction.assets.assets("acme")
    return [one for one in found if one.kind is kind and one.state in (states or {one.state})]


def erased(world: LineWorld) -> None:
    """Once what goes is gone."""
    while rows(world, AssetKind.CHECKPOINT, AssetState.ERASING):
        world.plant.clock.sleep(LOOK_EVERY_S)
        world.plant.upkeep.step()


def logs(world: LineWorld, run: Run) -> str:
    return "\n".join(one.text for one in world.room.runs.logs("acme", run.id, 0))


def test_what_is_trained_is_an_adapter_of_the_tenant_made_of_its_data(ready, tmp_path):
    run = ready.ended(ready.start())
    assert run.state is RunState.DONE, run.why
    told = outputs(ready, run)
    assert digests(ready, run) == alone(tmp_path)
    (row,) = rows(ready, AssetKind.ADAPTER)
    assert (row.id, row.run, row.state) == (told["adapter"], run.id, AssetState.LIVE)
    assert row.parents == tuple(one.asset for one in run.materials.train)
    assert sha256(ready.read(row.id)).hexdigest() == told["digest"]
    assert ready.plant.room.known.show(ready.member, row.id).name == f"nightly-{run.id}"
    assert told["stopped_early"] is False
    assert {"order", "loss", "holdout_loss", "tokens", "seconds"} <= told.keys()


def test_a_trainer_gets_cores_gives_way_and_says_how_far_it_is(ready, monkeypatch):
    far = []
    worker = ready.room.worker
    real = worker._kinds[StepKind.TRAIN]

    def watched(doing):
        def progress(done, total, what):
            far.append((done, total, what))

        return real(replace(doing, progress=progress))

    worker._kinds[StepKind.TRAIN] = watched
    run = ready.ended(ready.start())
    (cell,) = ready.cells.trainers
    assert (cell.spec.cores, cell.spec.nice) == ((0, 1), NICE)
    assert cell.spec.memory_bytes == ready.plant.limits.job_memory_bytes
    assert [one[:2] for one in far] == [(step, 8) for step in range(1, 9)]
    assert far[0][2] == "epoch 1 of 2, loss 1.00, 300 tok/s, 7 s left"
    told = logs(ready, run)
    assert "2 cores, which engines compute on too" in told
    assert "epoch 2 of 2: loss 0.12, holdout loss 0.125" in told
    assert "the checkpoint of step 6 is kept" in told
    assert "a word of a library" not in told


def test_its_label_is_what_all_the_data_allows(world):
    label_acme(world, Purpose.SERVE, Purpose.TRAIN)
    data(world, terms=AssetTerms(derived_purposes=(Purpose.SERVE,), retention_days=30))
    world.declare(LINE)
    run = world.ended(able(world).start())
    made = [rows(world, AssetKind.ADAPTER)[0], *rows(world, AssetKind.CHECKPOINT)]
    assert run.state is RunState.DONE, run.why
    assert {one.label.purposes for one in made} == {(Purpose.SERVE,)}
    assert {one.label.retention_days for one in made} == {30}


def test_the_newest_checkpoints_alone_stay_and_none_of_a_run_before(ready):
    first = ready.ended(ready.start())
    kept = rows(ready, AssetKind.CHECKPOINT, AssetState.LIVE)
    assert {ready.plant.room.known.opened(one).title for one in kept} == {"step 6", "step 8"}
    assert len(kept) == CHECKPOINTS
    assert {one.run for one in kept} == {first.id}
    erased(ready)
    gone = rows(ready, AssetKind.CHECKPOINT, AssetState.ERASED)
    assert len(gone) == 4 - CHECKPOINTS
    ready.add(NOTES * 2, name="notes")
    second = ready.ended(ready.start())
    assert {one.run for one in rows(ready, AssetKind.CHECKPOINT, AssetState.LIVE)} == {second.id}


def test_a_checkpoint_stays_while_its_run_may_go_on_from_it_and_no_longer(ready):
    ready.cells.waits = 4
    run = ready.start()
    ready.until(run, lambda _: rows(ready, AssetKind.CHECKPOINT, AssetState.LIVE))
    assert len(looked_at(ready)) == 1, "it is being trained"
    ready.room.runs.cancel(ready.member, "acme", run.id)
    assert len(looked_at(ready)) == 1, "it can be resumed"
    ready.cells.waits = 0
    ready.room.runs.resume(ready.member, "acme", run.id)
    assert ready.ended(run).state is RunState.DONE
    assert "--checkpoint" in ready.cells.trainers[1].words
    assert looked_at(ready) == []


def test_no_checkpoint_stays_of_a_run_that_is_forgotten(ready):
    ready.cells.dies = [4] + [1] * ATTEMPTS
    failed = ready.ended(ready.start())
    assert failed.state is RunState.FAILED
    assert {one.run for one in looked_at(ready)} == {failed.id}
    with ready.plant.store.write() as transaction:
        transaction.lines.forget_runs("acme", "nightly", 0)
    assert looked_at(ready) == []


def looked_at(world: LineWorld) -> list:
    """The checkpoints that are there once a while is over."""
    world.plant.clock.sleep(keeping.LOOK_EVERY_S)
    world.room.keeper.step()
    return rows(world, AssetKind.CHECKPOINT, AssetState.LIVE)


@pytest.mark.parametrize("after", [1, 3, SAID - 1])
def test_a_killed_trainer_is_followed_by_one_that_makes_the_same(ready, tmp_path, after):
    ready.cells.dies = [after]
    run = ready.ended(ready.start())
    assert digests(ready, run) == alone(tmp_path)
    first, second = ready.cells.trainers
    assert "--checkpoint" not in first.words
    kept_before = after >= 3  # two steps, and what was sealed of them
    assert ("--checkpoint" in second.words) == kept_before
    assert "another one goes on" in logs(ready, run)


@pytest.mark.parametrize("after", [1, 9])
def test_a_killed_control_is_followed_by_one_that_makes_the_same(ready, tmp_path, after):
    ready.cells.dies = [-after]
    run = ready.start()
    die(ready)
    assert ready.steps(run)[StepKind.TRAIN].state is StepState.RUNNING
    next_control(ready)
    assert ready.ended(run).state is RunState.DONE
    assert digests(ready, run) == alone(tmp_path)
    assert ("--checkpoint" in ready.cells.trainers[1].words) == (after > 3)


def die(world: LineWorld) -> None:
    """Carry runs on until control dies."""
    carried: list = []
    world.room.worker._begin = carried.append
    world.room.worker.step()
    with pytest.raises(SystemExit):
        carried[0]()


def test_what_control_was_about_to_keep_when_it_died_is_gone(ready, tmp_path, monkeypatch):
    uploads, calls = ready.plant.uploads, count()
    finish, give_up = uploads.finish, uploads.give_up

    def gone(*_):
        raise SystemExit

    def dies(*asked):
        if next(calls) == 1:
            monkeypatch.setattr(uploads, "give_up", gone)
            gone()
        return finish(*asked)

    with monkeypatch.context() as patched:
        patched.setattr(uploads, "finish", dies)
        run = ready.start()
        die(ready)
    monkeypatch.setattr(uploads, "give_up", give_up)
    assert len(rows(ready, AssetKind.CHECKPOINT, AssetState.UPLOADING)) == 1
    next_control(ready)
    assert ready.ended(run).state is RunState.DONE
    assert rows(ready, AssetKind.CHECKPOINT, AssetState.UPLOADING) == []
    assert digests(ready, run) == alone(tmp_path)


def test_an_adapter_that_was_kept_before_control_died_is_the_one(ready, monkeypatch):
    worker = ready.room.worker
    ends = worker._end_step

    def dies(run, step):
        if step.kind is StepKind.TRAIN:
            raise SystemExit
        ends(run, step)

    monkeypatch.setattr(worker, "_end_step", dies)
    run = ready.start()
    die(ready)
    (kept,) = rows(ready, AssetKind.ADAPTER)
    next_control(ready)
    assert ready.ended(run).state is RunState.DONE
    assert [one.id for one in rows(ready, AssetKind.ADAPTER)] == [kept.id]
    assert outputs(ready, run)["adapter"] == kept.id


def test_an_erased_adapter_is_trained_again(ready):
    first = ready.ended(ready.start())
    again = ready.ended(ready.start())
    assert ready.steps(again)[StepKind.TRAIN].reused == first.id
    ready.plant.erasures.erase(ready.admin, outputs(ready, first)["adapter"])
    third = ready.ended(ready.start())
    step = ready.steps(third)[StepKind.TRAIN]
    assert step.reused == ""
    assert step.outputs["digest"] == outputs(ready, first)["digest"]
    assert step.outputs["adapter"] != outputs(ready, first)["adapter"]


@pytest.mark.parametrize("end", ["withdraw", "label", "erase", "cancel"])
def test_a_trainer_is_ended_with_the_right_to_what_it_reads(ready, end):
    ready.cells.waits = 4
    run = ready.start()
    ready.until(run, lambda _: ready.cells.trainers and rows(ready, AssetKind.CHECKPOINT))
    (cell,) = ready.cells.trainers
    asset = run.materials.train[0].asset
    acts = {
        "withdraw": lambda: ready.plant.vault_room.withdraw("op", "acme"),
        "label": lambda: ready.plant.assets.relabel(ready.admin, asset, AssetTerms(purposes=())),
        "erase": lambda: ready.plant.erasures.erase(ready.admin, asset),
        "cancel": lambda: ready.room.runs.cancel(ready.member, "acme", run.id),
    }
    acts[end]()
    assert cell.ends, "it is gone when that returns"
    ended = ready.ended(run)
    assert ended.state is (RunState.CANCELLED if end == "cancel" else RunState.FAILED)
    assert rows(ready, AssetKind.ADAPTER) == []


def test_what_the_trainer_refuses_is_refused_by_the_name_of_its_file(ready):
    ready.add(NOTES.replace(b"oil", fake_trainer.REFUSED_WORD), name="notes")
    run = ready.ended(ready.start())
    assert run.state is RunState.REFUSED
    assert "a word that is refused" in run.why
    assert rows(ready, AssetKind.ADAPTER) == []


def test_a_trainer_that_is_killed_again_and_again_fails_its_run(ready):
    ready.cells.dies = [1] * ATTEMPTS
    run = ready.ended(ready.start())
    assert run.state is RunState.FAILED
    assert "ended with -9" in run.why
    assert len(ready.cells.trainers) == ATTEMPTS
    ready.room.runs.resume(ready.member, "acme", run.id)
    assert ready.ended(run).state is RunState.DONE


def test_a_checkpoint_of_another_order_is_left_and_training_begins_anew(ready, tmp_path):
    ready.cells.dies = [-5]
    run = ready.start()
    die(ready)
    ready.trainer_shop = shop(ready.trainer, BASE + b", and more")
    next_control(ready)
    assert ready.ended(run).state is RunState.DONE
    assert "begins anew" in logs(ready, run)
    assert digests(ready, run) != alone(tmp_path)
    assert ["--checkpoint" in one.words for one in ready.cells.trainers] == [False, True, False]


def test_a_checkpoint_that_is_not_what_it_was_said_to_be_is_not_kept(ready, monkeypatch):
    said = events.event

    def lies(line):
        event = said(line)
        return replace(event, sha256="0" * 64) if isinstance(event, Checkpoint) else event

    monkeypatch.setattr(ready.trainer, "event", lies)
    run = ready.ended(ready.start())
    assert run.state is RunState.DONE
    assert rows(ready, AssetKind.CHECKPOINT, AssetState.LIVE) == []
    assert "is not kept: what was made" in logs(ready, run)


def test_an_adapter_that_is_longer_than_its_memory_is_none(ready, monkeypatch):
    said = events.event

    def lies(line):
        event = said(line)
        known = isinstance(event, Progress | Checkpoint)
        return event if known else replace(event, gguf_bytes=1 << 60)

    monkeypatch.setattr(ready.trainer, "event", lies)
    run = ready.ended(ready.start())
    assert run.state is RunState.FAILED
    assert "says that it wrote" in run.why


def test_the_bases_own_answers_are_asked_once_and_rehearsed(ready, tmp_path):
    asked = QUESTIONS[:3]
    ready.tokens.answers |= {one: f"Answer to: {one}" for one in asked}
    ready.declare(f"{LINE}rehearsal = 3\n")
    ready.cells.dies = [-5]
    run = ready.start()
    die(ready)
    next_control(ready)
    assert ready.ended(run).state is RunState.DONE
    assert sorted(one.messages[-1][1] for _, one in ready.tokens.asked) == sorted(asked)
    assert {(one.model, one.max_tokens) for _, one in ready.tokens.asked} == {
        ("smollm2", ANSWER_TOKENS)
    }
    (row,) = [one for one in rows(ready, AssetKind.DATASET) if one.run == run.id]
    content = ready.read(row.id)
    turns = [json.loads(line)["messages"] for line in content.splitlines()]
    assert [one[1]["content"] for one in turns] == [f"Answer to: {one}" for one in asked]
    assert digests(ready, run) == alone(tmp_path, content)
    (adapter,) = rows(ready, AssetKind.ADAPTER)
    assert row.id in adapter.parents


def test_it_goes_on_from_what_is_live_and_is_made_of_that_too(ready, monkeypatch):
    before = ready.add(b"GGUF of a live adapter", name="live", kind=AssetKind.ADAPTER)
    serves: list[Serves] = []
    shelf = ready.room.runs._shelf
    monkeypatch.setattr(shelf, "_serves", lambda _: serves[0] if serves else None)
    ready.declare(f'{LINE}start = "live"\n[release]\nname = "notes"\n')
    first = ready.ended(ready.start())
    assert "--start-adapter" not in ready.cells.trainers[0].words, "nothing is live yet"
    serves.append(Serves("some-release", before, "digest of it"))
    second = ready.ended(ready.start())
    assert second.state is RunState.DONE, second.why
    assert "--start-adapter" in ready.cells.trainers[1].words
    assert digests(ready, second) != digests(ready, first)
    with ready.plant.store.read() as transaction:
        adapter = transaction.assets.asset(outputs(ready, second)["adapter"])
    assert before in adapter.parents
    ready.plant.assets.relabel(ready.admin, before, AssetTerms(purposes=(Purpose.SERVE,)))
    third = ready.ended(ready.start())
    assert third.state is RunState.REFUSED
    assert f"asset {before} may not be used to train" in third.why


def test_an_answer_that_was_cut_is_not_rehearsed(ready):
    ready.tokens.answers |= dict.fromkeys(QUESTIONS[:2], "It goes on and on")
    ready.tokens.took = ANSWER_TOKENS
    ready.declare(f"{LINE}rehearsal = 2\n")
    run = ready.ended(ready.start())
    assert run.state is RunState.DONE, run.why
    assert [one for one in rows(ready, AssetKind.DATASET) if one.run == run.id] == []
    assert len(ready.steps(run)[StepKind.TRAIN].receipts) == 2


def test_nobody_adds_what_a_run_is_said_to_have_made(ready):
    run = ready.ended(ready.start())
    with pytest.raises(BadInput) as refused:
        ready.add(b"forged", name="nightly", kind=AssetKind.CHECKPOINT, run=run.id)
    assert refused.value.field == "run"


def test_whoever_acts_for_a_run_erases_nothing(ready):
    with ready.plant.store.read() as transaction:
        row = transaction.assets.assets("acme")[0]
    with pytest.raises(Denied) as denied:
        ready.plant.erasures.erase(acting("some-run", "acme"), row.id)
    assert "asset.run" in denied.value.rules
