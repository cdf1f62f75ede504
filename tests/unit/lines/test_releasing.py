"""A run goes from what it trained to what is served: tried out beside the base, held to what
serves, released once, followed until it is whole or taken back."""

import json
import time
from base64 import b64decode
from contextlib import suppress
from dataclasses import replace

import pytest

from inland.decide.lines.rollout import Seen, loaded
from inland.domain.assets import AssetKind
from inland.domain.errors import Conflict
from inland.domain.labels import Purpose
from inland.domain.lines import Run, RunState, StepKind, StepState
from inland.domain.plant import Replica, ReplicaState
from inland.domain.releases import ReleaseState, candidate_name
from inland.lines.run_keys import LASTS_S
from inland.lines.steps.step import Doing, Outcome
from inland.plant.release_moves import retire
from inland.ports.tokens import Answered, Asked
from tests.patience import PATIENCE_S
from tests.unit.lines.test_check import HELD, NOTES, TRAINED, label_acme
from tests.unit.lines.world import LINE, LineWorld, ToyTokens
from tests.unit.plant.parts import SITE

REGRESSION = """
[[gate.regression]]
suite = "sums"
most = 0.1

[release]
name = "notes"
approve = "gate"
"""
GATED = TRAINED.replace("\n[data]", REGRESSION + "\n[data]")
PACED = (
    GATED
    + """
[rollout]
percents = [50, 100]
soak_s = 0
samples = 2
"""
)
PERSON = GATED.replace('approve = "gate"\n', "")


class Models(ToyTokens):
    """Who does not know a model says nothing right; the others answer as they should."""

    dull: frozenset[str] = frozenset()

    def ask(self, key: str, asked: Asked) -> Answered:
        told = super().ask(key, asked)
        return replace(told, text="what?") if asked.model in self.dull else told

    def models(self) -> list[str]:
        """Whom it was asked of, each once, in order."""
        return list(dict.fromkeys(asked.model for _, asked in self.asked))


class Factory:
    """A world whose engines load what they are to, and whose training is a file that is there."""

    def __init__(self, world: LineWorld) -> None:
        self.world, self.plant = world, world.plant
        self.broken: set[str] = set()
        self.have: tuple[tuple[str, ...], int] = ((), 0)
        self.loads = True
        self.trained = 0
        self.made = ""
        self.able()

    def able(self) -> None:
        """Of a control that begins, too."""
        self.world.room.worker._kinds[StepKind.TRAIN] = self._train

    def _train(self, doing: Doing) -> Outcome:
        self.trained += 1
        self.made = self.world.add(kind=AssetKind.ADAPTER, name=f"adapter-{self.trained}")
        return Outcome({"adapter": self.made, "digest": f"{self.trained:064x}", "loss": 0.5})

    def tick(self) -> None:
        """A step of every controller, half a second later."""
        self.plant.clock.sleep(0.5)
        self.world.room.worker.step()
        self._engines()
        self.world.releases.step()
        self.world.room.candidates.step()

    def _engines(self) -> None:
        now_s = self.plant.clock.unix_us() // 1_000_000
        with self.plant.store.read() as transaction:
            releases = transaction.state.releases().values()
            wanted = loaded(releases, now_s).get("smollm2", ())
        if not self.loads or (wanted, len(self.broken)) == self.have:
            return
        self.have = (wanted, len(self.broken))
        with self.plant.changes.change("test") as change:
            wrong = bool(self.broken & set(wanted))
            kept = tuple(one for one in wanted if one not in self.broken)
            for name, state, adapters in (
                ("old", ReplicaState.READY, () if wrong else kept),
                ("new", ReplicaState.FAILED, wanted if wrong else ()),
            ):
                change.state.remove_replica(name)
                if state is ReplicaState.READY or wrong:
                    made = Replica(name, "smollm2", state, "x", SITE, adapters=adapters)
                    change.state.put_replica(made)
            change.touch()

    def until(self, run: Run, true) -> Run:
        end = time.monotonic() + PATIENCE_S
        while True:
            self.tick()
            found, _ = self.world.room.runs.show(None, run.id)
            if true(found):
                return found
            assert time.monotonic() < end, (found, self.world.steps(run))
            time.sleep(0.001)

    def ended(self, run: Run) -> Run:
        found = self.until(run, lambda one: one.state is not RunState.RUNNING)
        self.world.quiet()
        self.tick()
        return found

    def release(self, run: Run):
        return self.world.releases.show(None, run.id)

    def serving(self) -> dict[str, int]:
        return {one.release: one.percent for one in self.plant.snapshot.serving.values()}

    def waits(self, run: Run, what: str) -> Run:
        """Until the run waits for that, and nothing is done for it: what ends its waiting must not
        happen meanwhile."""
        found = self.until(run, lambda one: what in one.why)
        self.world.quiet()
        return found


def factory_of(world: LineWorld) -> Factory:
    """With data, and a suite."""
    world.tokens = Models()
    world.tokens.gate.set()
    world.room = world.made_room()
    label_acme(world, Purpose.SERVE, Purpose.TRAIN)
    world.add_suite()
    world.add(NOTES, name="notes")
    world.add(HELD, name="held")
    return Factory(world)


@pytest.fixture
def factory(world: LineWorld) -> Factory:
    return factory_of(world)


def test_what_is_trained_is_tried_out_gated_released_and_live(factory):
    world = factory.world
    world.declare(GATED)
    run = factory.ended(world.start())
    assert run.state is RunState.DONE, run.why
    assert tuple(world.steps(run)) == tuple(StepKind)
    assert world.tokens.models() == ["smollm2", candidate_name("nightly", run.id)]
    told = factory.release(run)
    assert (told.state, told.name, told.id) == (ReleaseState.LIVE, "notes", run.id)
    assert told.approved_by == "gate of line nightly"
    assert factory.serving() == {run.id: 100}
    statement = json.loads(b64decode(json.loads(world.releases.signed("acme", run.id))["payload"]))
    build = statement["predicate"]["buildDefinition"]
    assert build["internalParameters"]["scores"].keys() == {"sums", "serving sums"}
    assert build["internalParameters"]["gate"].startswith("passed: sums")
    assert len(build["resolvedDependencies"]) == 3, "the base, the data and the holdout"
    assert build["externalParameters"]["line"] == "nightly"
    (added,) = world.said("line.add")
    assert build["externalParameters"]["line_sha256"] == added["details"]["sha256"]
    states = [
        one["details"]["state"]
        for one in world.plant.records()
        if one.get("subject") == run.id and one["what"].startswith("release.")
    ]
    assert states == ["candidate", "on-trial", "proposed", "approved", "live"]


def test_a_run_keeps_the_key_it_began_with_though_its_line_is_declared_anew(factory):
    world = factory.world
    world.declare(GATED)
    run, keys = world.start(), world.room.worker._keys
    keys.text(run.id, "acme", "nightly")
    added = world.said("key.add")[-1]
    world.declare(LINE.replace('base = "smollm2"', 'base = "another"'))
    factory.plant.clock.sleep(LASTS_S)
    keys.text(run.id, "acme", "nightly")
    (renewed,) = world.said("key.renew")
    assert renewed["subject"] == added["subject"]
    wanted = ["smollm2", "notes", candidate_name("nightly", run.id)]
    assert added["details"]["models"] == renewed["details"]["models"] == wanted
    world.declare(GATED)
    keys.end(run.id, "acme", "nightly")
    assert [one["subject"] for one in world.said("key.end")] == [added["subject"]]


def test_the_next_one_is_compared_with_what_serves_and_goes_out_in_steps(factory):
    world = factory.world
    world.declare(PACED)
    first = factory.ended(world.start())
    world.tokens.asked.clear()
    world.add(NOTES * 2, name="notes")
    second = world.start()
    factory.waits(second, "50 % of the users of notes")
    assert world.tokens.models() == [candidate_name("nightly", second.id)]
    assert world.steps(second)[StepKind.BASELINE].reused == first.id, "it was asked as a candidate"
    assert factory.serving() == {first.id: 100, second.id: 50}
    world.seen = (Seen(2), Seen(2))
    assert factory.ended(second).state is RunState.DONE
    assert factory.serving() == {second.id: 100}
    assert factory.release(first).state is ReleaseState.RETIRED


def test_what_is_worse_than_what_serves_is_refused_and_leaves_the_engines(factory):
    world = factory.world
    world.declare(GATED)
    first = factory.ended(world.start())
    world.add(NOTES * 2, name="notes")
    second = world.start()
    world.tokens.dull = frozenset({candidate_name("nightly", second.id)})
    ended = factory.ended(second)
    assert ended.state is RunState.REFUSED
    assert "against what serves" in ended.why
    told = factory.release(second)
    assert (told.state, told.approved_by, told.past) == (ReleaseState.RETIRED, None, True)
    assert factory.serving() == {first.id: 100}
    now_s = factory.plant.clock.unix_us() // 1_000_000
    with factory.plant.store.read() as transaction:
        lists = loaded(transaction.state.releases().values(), now_s)
    assert factory.made not in lists["smollm2"]


def test_a_rollout_that_goes_wrong_refuses_its_run(factory):
    world = factory.world
    world.declare(PACED)
    first = factory.ended(world.start())
    world.add(NOTES * 2, name="notes")
    second = world.start()
    factory.waits(second, "50 % of the users")
    world.seen = (Seen(2, errors=2), Seen(9))
    ended = factory.ended(second)
    assert ended.state is RunState.REFUSED
    assert "100.0 % errors" in ended.why
    assert factory.serving() == {first.id: 100}
    world.room.runs.resume(world.member, "acme", second.id)
    assert factory.ended(second).state is RunState.REFUSED, "a run releases once"
    assert len(world.said("release.approve")) == 2


def test_a_person_is_waited_for_without_anything_held_and_over_restarts(factory):
    world = factory.world
    world.declare(PERSON)
    run = world.start()
    told = factory.waits(run, "awaiting approval")
    assert told.why == f"awaiting approval: inland release approve {run.id}"
    assert world.steps(run)[StepKind.RELEASE].why == told.why
    began = world.steps(run)[StepKind.RELEASE].began_unix_us
    world.room = world.made_room()
    factory.able()
    for _ in range(5):
        factory.tick()
        world.quiet()
    world.room.runs._most = 1
    world.declare(LINE.replace('"nightly"', '"other"'))
    factory.ended(world.start("other"))
    logged = [one for one in world.room.runs.logs(None, run.id, 0) if "awaiting" in one.text]
    assert len(logged) == 1
    assert world.steps(run)[StepKind.RELEASE].began_unix_us == began
    assert factory.serving() == {}, "its trial is over"
    world.releases.approve(world.admin, "acme", run.id)
    ended = factory.ended(run)
    assert (ended.state, ended.why) == (RunState.DONE, "")
    assert factory.release(run).approved_by == world.admin.id
    assert factory.trained == 1


def test_what_was_proposed_goes_with_a_cancelled_run_and_comes_back_with_it(factory):
    world = factory.world
    world.declare(PERSON)
    run = world.start()
    factory.waits(run, "awaiting approval")
    world.room.runs.cancel(world.member, "acme", run.id)
    with pytest.raises(Conflict, match="its run"):
        world.releases.approve(world.admin, "acme", run.id)
    factory.tick()
    assert factory.release(run).state is ReleaseState.RETIRED
    world.room.runs.resume(world.member, "acme", run.id)
    factory.waits(run, "awaiting approval")
    world.releases.approve(world.admin, "acme", run.id)
    assert factory.ended(run).state is RunState.DONE
    assert factory.serving() == {run.id: 100}


def test_a_cancelled_run_takes_its_rollout_back_and_a_resumed_one_begins_that_anew(factory):
    world = factory.world
    world.declare(PACED)
    first = factory.ended(world.start())
    world.add(NOTES * 2, name="notes")
    second = world.start()
    factory.waits(second, "50 % of the users of notes")
    signed = world.releases.signed("acme", second.id)
    world.room.runs.cancel(world.member, "acme", second.id)
    assert factory.serving() == {first.id: 100}
    told = factory.release(second)
    assert (told.state, told.why) == (ReleaseState.ROLLED_BACK, "its run was cancelled")
    (over,), (back,) = world.said("run.end")[1:], world.said("release.rollback")
    assert (over["who"], back["who"]) == (world.member.id, world.member.id)
    world.seen = (Seen(2), Seen(2))
    for _ in range(5):
        factory.tick()
    assert factory.serving() == {first.id: 100}, "it goes on though its run is over"

    world.seen = (Seen(), Seen())
    world.room.runs.resume(world.member, "acme", second.id)
    factory.waits(second, "50 % of the users of notes")
    assert factory.serving() == {first.id: 100, second.id: 50}
    assert world.releases.signed("acme", second.id) != signed
    world.seen = (Seen(2), Seen(2))
    assert factory.ended(second).state is RunState.DONE
    assert factory.serving() == {second.id: 100}
    assert {one.id for one in world.releases.all()} == {first.id, second.id}
    assert factory.trained == 2, "what was trained is not trained again"


def test_what_a_person_approved_is_approved_anew_after_a_cancel(factory):
    world = factory.world
    world.declare(PERSON)
    run = world.start()
    factory.waits(run, "awaiting approval")
    world.releases.approve(world.admin, "acme", run.id)
    world.room.runs.cancel(world.member, "acme", run.id)
    for _ in range(3):
        factory.tick()
    told = factory.release(run)
    assert (told.state, told.past) == (ReleaseState.ROLLED_BACK, True), "engines need it no more"
    world.room.runs.resume(world.member, "acme", run.id)
    factory.waits(run, "awaiting approval")
    assert factory.serving() == {}
    world.releases.approve(world.admin, "acme", run.id)
    assert factory.ended(run).state is RunState.DONE
    assert factory.serving() == {run.id: 100}


def test_what_is_live_stays_where_its_run_is_cancelled(factory):
    world = factory.world
    world.declare(PACED)
    factory.ended(world.start())
    world.add(NOTES * 2, name="notes")
    second = world.start()
    factory.waits(second, "50 % of the users of notes")
    world.seen = (Seen(2), Seen(2))
    world.releases.step()
    assert factory.serving() == {second.id: 100}
    world.room.runs.cancel(world.member, "acme", second.id)
    for _ in range(3):
        factory.tick()
    assert factory.serving() == {second.id: 100}
    world.room.runs.resume(world.member, "acme", second.id)
    assert factory.ended(second).state is RunState.DONE
    assert len(world.said("release.approve")) == 2


@pytest.mark.parametrize("by", ["a person", "an erase"])
def test_what_was_taken_back_for_another_reason_is_not_begun_anew(factory, by):
    world = factory.world
    world.declare(PACED)
    factory.ended(world.start())
    world.add(NOTES * 2, name="notes")
    second = world.start()
    factory.waits(second, "50 % of the users of notes")
    if by == "a person":
        world.releases.rollback(world.admin, "acme", second.id)
        world.room.runs.cancel(world.member, "acme", second.id)
    else:
        world.room.runs.cancel(world.member, "acme", second.id)
        with world.plant.changes.change("test") as change:
            retire(change, "its adapter is erased", adapter=factory.made)
    world.room.runs.resume(world.member, "acme", second.id)
    assert factory.ended(second).state in {RunState.REFUSED, RunState.FAILED}
    assert len(world.said("release.approve")) == 2
    assert second.id not in factory.serving()


def test_an_adapter_that_no_engine_loads_fails_its_run_and_no_more(factory):
    world = factory.world
    world.declare(GATED)
    run = world.start()
    factory.loads = False  # before it is known to be broken
    factory.until(run, lambda _: factory.made)
    factory.broken.add(factory.made)
    factory.loads = True
    ended = factory.ended(run)
    assert ended.state is RunState.FAILED
    assert "no engine starts with it" in ended.why
    world.room.runs.resume(world.member, "acme", run.id)
    assert "no engine starts with it" in factory.ended(run).why
    assert factory.serving() == {}


def test_what_serves_already_is_not_released_again(factory):
    world = factory.world
    world.declare(GATED)
    first = factory.ended(world.start())
    second = factory.ended(world.start())
    assert second.state is RunState.DONE
    assert world.steps(second)[StepKind.RELEASE].outputs["release"] == first.id
    assert world.steps(second)[StepKind.EVALUATE].reused == first.id
    assert len(world.said("release.propose")) == 1


def test_the_key_of_a_cancelled_run_opens_nothing(factory):
    world = factory.world
    world.declare(PERSON)
    run = world.start()
    factory.waits(run, "awaiting approval")
    (added,) = [one for one in world.said("key.add") if one["details"].get("run") == run.id]
    key = world.plant.keys.find(added["subject"])
    assert key.models == ("smollm2", "notes", candidate_name("nightly", run.id))
    world.room.runs.cancel(world.member, "acme", run.id)
    factory.tick()
    now_s = factory.plant.clock.unix_us() // 1_000_000
    assert world.plant.keys.find(key.id).expires_unix_s <= now_s


@pytest.mark.parametrize("after", range(8))
def test_wherever_control_dies_there_is_one_release_of_a_run(factory, after, monkeypatch):
    """It dies when `after` steps were done, before that is booked; or when the run's end was to."""
    world = factory.world
    world.declare(GATED)
    worker = world.room.worker
    done: list[StepKind | None] = []
    ends = worker._end_step

    class Dead(BaseException):
        pass

    def dies(run, step):
        if len(done) == after:
            done.append(None)
            worker._stopping = True
            raise Dead
        done.append(step.kind)
        ends(run, step)

    def dead(carry) -> None:
        with suppress(Dead):
            carry()

    monkeypatch.setattr(worker, "_end_step", dies)
    if after == 7:
        monkeypatch.setattr(worker, "_book_end", lambda *_: dies(None, None))
    begin = worker._begin
    monkeypatch.setattr(worker, "_begin", lambda carry: begin(lambda: dead(carry)))
    run = world.start()
    factory.until(run, lambda _: None in done)
    world.quiet()
    assert world.room.runs.show(None, run.id)[0].state is RunState.RUNNING
    world.room = world.made_room()
    factory.able()
    assert factory.ended(run).state is RunState.DONE
    assert all(step.state is StepState.DONE for step in world.steps(run).values())
    assert [one["subject"] for one in world.said("release.approve")] == [run.id]
    assert factory.serving() == {run.id: 100}
    assert len(world.said("run.end")) == 1
