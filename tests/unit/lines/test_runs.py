"""Runs: intent before each step, outcome booked after it, gone on with wherever they were cut."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from inland.decide.lines.planning import digest_of
from inland.domain.assets import AssetKind
from inland.domain.errors import BadInput, Conflict, Denied, NotFound
from inland.domain.lines import Run, RunState, StepKind, StepState
from inland.domain.plant import Role
from inland.lines import triggers
from tests.unit.lines.world import LINE, SUITE, LineWorld

PLAIN = (StepKind.CHECK, StepKind.EVALUATE, StepKind.GATE)


@pytest.fixture
def ready(world: LineWorld) -> LineWorld:
    """With a suite and a line that uses it."""
    world.add_suite()
    world.declare()
    return world


def test_a_run_is_checked_evaluated_and_gated_and_every_step_is_on_the_books(ready):
    run = ready.start()
    assert ready.ended(run).state is RunState.DONE
    steps = ready.steps(run)
    assert tuple(steps) == PLAIN
    assert {step.state for step in steps.values()} == {StepState.DONE}
    scores = steps[StepKind.EVALUATE].outputs["scores"]["sums"]
    assert (scores["point"], scores["values"]) == (1.0, [1.0, 1.0])
    assert set(steps[StepKind.EVALUATE].receipts) == {"receipt-1", "receipt-2"}
    assert all(step.outputs_digest == digest_of(step.outputs) for step in steps.values())
    begun = [one["details"]["inputs"] for one in ready.said("step.begin")]
    ended = [(one["subject"], one["details"]["outputs"]) for one in ready.said("step.end")]
    assert begun == [step.inputs_digest for step in steps.values()]
    assert ended == [(kind.value, step.outputs_digest) for kind, step in steps.items()]
    (over,) = ready.said("run.end")
    assert (over["subject"], over["details"]["state"]) == (run.id, "done")


def test_a_gate_that_is_not_passed_refuses_by_the_lower_bound(ready):
    ready.tokens.answers["Ping?"] = "what?"
    ready.declare(LINE.replace("least = 0.1", "least = 0.6"))
    run = ready.ended(ready.start())
    assert run.state is RunState.REFUSED
    assert "sums" in run.why
    assert ready.steps(run)[StepKind.GATE].state is StepState.REFUSED


def test_no_text_of_a_suite_or_an_answer_is_kept(ready):
    ready.tokens.answers["Two and two?"] = "Certainly: canary"
    run = ready.ended(ready.start())
    assert ready.steps(run)[StepKind.EVALUATE].state is StepState.DONE
    kept = b"".join(path.read_bytes() for path in ready.plant.home.glob("inland.db*"))
    assert b"Two and two" not in kept
    assert b"canary" not in kept
    assert b"receipt-1" in kept


def test_what_did_not_change_is_not_asked_again(ready):
    first = ready.ended(ready.start())
    asked = len(ready.tokens.asked)
    second = ready.start()
    assert ready.ended(second).state is RunState.DONE
    assert len(ready.tokens.asked) == asked
    evaluated = ready.steps(second)[StepKind.EVALUATE]
    assert evaluated.reused == first.id
    assert evaluated.outputs == ready.steps(first)[StepKind.EVALUATE].outputs
    assert ready.steps(second)[StepKind.CHECK].reused == ""
    ready.add_suite(SUITE * 2)
    third = ready.ended(ready.start())
    assert third.materials.suites[0].version == 2
    assert len(ready.tokens.asked) == asked + 4


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_run_that_was_cut_is_gone_on_with_by_the_next_control(ready, after, monkeypatch):
    """Control dies when `after` steps are booked; the one behind them is begun, and not ended."""
    worker = ready.room.worker
    booked: list[StepKind] = []
    ends = worker._end_step

    def dies(run, step):
        if len(booked) == after:
            raise SystemExit
        booked.append(step.kind)
        ends(run, step)

    if after < 3:
        monkeypatch.setattr(worker, "_end_step", dies)
    else:
        monkeypatch.setattr(worker, "_book_end", lambda *_: (_ for _ in ()).throw(SystemExit()))
    run = ready.start()
    carried: list[Callable[[], None]] = []
    worker._begin = carried.append
    worker.step()
    with pytest.raises(SystemExit):
        carried[0]()
    steps = ready.steps(run)
    assert [kind for kind, one in steps.items() if one.state is StepState.DONE] == list(
        PLAIN[:after]
    )
    assert ready.room.runs.show(None, run.id)[0].state is RunState.RUNNING
    asked = len(ready.tokens.asked)
    ready.room = ready.made_room()
    assert ready.ended(run).state is RunState.DONE
    finished = ready.steps(run)
    assert tuple(finished) == PLAIN
    for kind in PLAIN[:after]:
        assert finished[kind] == steps[kind], "what was done stands as it was"
    assert len(ready.tokens.asked) - asked == (2 if after < 2 else 0)
    assert [one["subject"] for one in ready.said("step.begin")] == [kind.value for kind in PLAIN]
    assert [one["subject"] for one in ready.said("step.end")] == [kind.value for kind in PLAIN]
    assert len(ready.said("run.end")) == 1


def test_a_cancelled_run_stops_and_can_be_resumed(ready):
    ready.tokens.gate.clear()
    run = ready.start()
    ready.until(run, lambda _: ready.room.worker.progress(run.id) is not None)
    ready.until(run, lambda _: StepKind.EVALUATE in ready.steps(run))
    ready.room.worker._works[run.id].ending = "soon"  # its answers wait: nobody waits for them
    ready.tokens.gate.set()
    cancelled = ready.room.runs.cancel(ready.member, "acme", run.id)
    assert cancelled.state is RunState.CANCELLED
    with pytest.raises(Conflict):
        ready.room.runs.cancel(ready.member, "acme", run.id)
    checked = ready.steps(run)[StepKind.CHECK]
    ready.room.runs.resume(ready.member, "acme", run.id)
    assert ready.ended(run).state is RunState.DONE
    assert ready.steps(run)[StepKind.CHECK].began_unix_us >= checked.began_unix_us
    with pytest.raises(Conflict):
        ready.room.runs.resume(ready.member, "acme", run.id)


def test_what_reads_for_a_run_ends_with_a_label_that_forbids_it(ready):
    ready.cells.held = True
    run = ready.start()
    ready.until(run, lambda _: ready.cells.begun)
    ready.plant.vault_room.withdraw("op", "acme")
    assert ready.cells.begun[0][1].ends
    ended = ready.ended(run)
    assert ended.state is RunState.FAILED
    assert "withdrawn" in ended.why


def test_a_run_acts_with_a_key_of_its_line_that_ends_with_it(ready):
    run = ready.ended(ready.start())
    (added,) = ready.said("key.add")[-1:]
    key = ready.plant.keys.find(added["subject"])
    assert added["details"]["run"] == run.id
    assert (key.tenant, key.role, key.models) == ("acme", Role.MEMBER, ("smollm2",))
    assert key.expires_unix_s <= ready.plant.clock.unix_us() // 1_000_000
    texts = {text for text, _ in ready.tokens.asked}
    assert len(texts) == 1
    assert next(iter(texts)).split("_")[1] == key.id
    ready.add_suite(SUITE * 2)
    ready.ended(ready.start())
    assert [one["subject"] for one in ready.said("key.renew")] == [key.id]
    ready.plant.keys.revoke("op", key.id)
    ready.add_suite(SUITE * 3)
    refused = ready.ended(ready.start())
    assert refused.state is RunState.FAILED
    assert "revoked" in refused.why
    ready.declare()
    ready.room.runs.resume(ready.member, "acme", refused.id)
    assert ready.ended(refused).state is RunState.DONE
    assert ready.said("key.add")[-1]["subject"] != key.id


def test_a_run_that_is_over_gets_no_key(ready):
    run, keys = ready.start(), ready.room.worker._keys
    first = keys.text(run.id, "acme", "nightly")
    ready.room.runs.cancel(ready.member, "acme", run.id)
    keys.end_others(())
    (ended,) = ready.said("key.end")
    with pytest.raises(Conflict, match="it is over"):
        keys.text(run.id, "acme", "nightly")
    assert ready.said("key.renew") == []
    ready.room.runs.resume(ready.member, "acme", run.id)
    again = keys.text(run.id, "acme", "nightly")
    assert again != first
    assert [one["subject"] for one in ready.said("key.renew")] == [ended["subject"]]


def test_a_busy_gateway_is_asked_again(ready):
    ready.tokens.busy = 3
    assert ready.ended(ready.start()).state is RunState.DONE


def test_a_step_that_breaks_fails_its_run_and_no_more(ready):
    ready.tokens.answers.clear()  # what answers breaks: a KeyError
    run = ready.ended(ready.start())
    assert run.state is RunState.FAILED
    assert "control's own" in run.why
    assert "run.end" in {one["what"] for one in ready.plant.records() if "what" in one}


def test_there_is_one_run_of_a_line_and_so_many_in_all(ready):
    ready.tokens.gate.clear()
    run = ready.start()
    with pytest.raises(Conflict) as refused:
        ready.start()
    assert run.id in str(refused.value)
    for name in ("second", "third"):
        ready.declare(LINE.replace('"nightly"', f'"{name}"'))
    ready.start("second")
    with pytest.raises(Conflict) as refused:
        ready.start("third")
    assert "limits.runs" in str(refused.value)
    ready.tokens.gate.set()
    ready.ended(run)


def test_a_run_that_was_resumed_is_under_way_though_a_later_one_began_behind_it(ready, monkeypatch):
    monkeypatch.setattr(triggers, "LOOK_EVERY_S", 0.0)
    ready.declare(LINE + '\n[[trigger]]\non = "schedule"\nhours = 2\n')
    first, second, third = (_cancelled(ready) for _ in range(3))
    ready.room.runs.resume(ready.member, "acme", first.id)
    for act in (
        ready.start,
        lambda: ready.room.runs.resume(ready.member, "acme", second.id),
        lambda: ready.room.runs.resume(ready.member, "acme", third.id),
    ):
        with pytest.raises(Conflict, match=first.id):
            act()
    ready.plant.clock.sleep(3 * 3600)
    ready.room.triggers.step()
    assert ready.room.triggers.refused == {}, "it is not asked what it would be refused"
    assert len(ready.room.runs.all("acme")) == 3


def _cancelled(ready: LineWorld) -> Run:
    """A run that nobody carried on."""
    run = ready.start()
    ready.plant.clock.sleep(1)
    return ready.room.runs.cancel(ready.member, "acme", run.id)


def test_a_paused_line_begins_nothing(ready):
    ready.room.lines.pause(ready.admin, "acme", "nightly", paused=True)
    with pytest.raises(Conflict) as refused:
        ready.start()
    assert "--off" in str(refused.value)
    ready.declare()
    assert ready.room.lines.show("acme", "nightly").paused, "a new file lets nothing run again"
    ready.room.lines.pause(ready.admin, "acme", "nightly", paused=False)
    assert ready.ended(ready.start()).state is RunState.DONE


def test_a_line_and_its_runs_are_its_tenants(ready):
    run = ready.ended(ready.start())
    with pytest.raises(NotFound):
        ready.room.lines.show("demo", "nightly")
    with pytest.raises(NotFound):
        ready.room.runs.begin("demo", "nightly", "k")
    for act in (
        lambda: ready.room.runs.show("demo", run.id),
        lambda: ready.room.runs.logs("demo", run.id, 0),
        lambda: ready.room.runs.cancel(ready.other, "demo", run.id),
        lambda: ready.room.runs.resume(ready.other, "demo", run.id),
    ):
        with pytest.raises(NotFound):
            act()
    assert ready.room.runs.all("demo") == []


def test_a_key_limited_to_models_runs_lines_of_these_alone(ready):
    limited = replace(ready.member, models=("other",))
    with pytest.raises(Denied):
        ready.room.runs.begin("acme", "nightly", limited.id, limited)
    run = _cancelled(ready)
    with pytest.raises(Denied):
        ready.room.runs.resume(limited, "acme", run.id)
    able = replace(ready.member, models=("other", "smollm2"))
    assert ready.room.runs.resume(able, "acme", run.id).state is RunState.RUNNING


def test_what_a_line_names_is_there_when_a_run_begins_or_none_does(world):
    world.declare()
    with pytest.raises(BadInput) as refused:
        world.start()
    assert refused.value.field == "suite[1].asset"
    world.add(SUITE, name="sums")  # a dataset, and no suite
    with pytest.raises(BadInput) as refused:
        world.start()
    assert "kind dataset" in str(refused.value)
    assert world.said("run.begin") == []
    one = world.add_suite()
    world.add_suite(SUITE * 2)
    world.declare(LINE.replace('asset = "sums"', f'asset = "asset:{one}"'))
    assert world.start().materials.suites[0].asset == one


def test_lines_runs_and_logs_are_bounded(world, monkeypatch):
    world.add_suite()
    world.room.lines._most, world.room.runs._keep = 1, 2
    world.room.worker._log_lines = 10
    world.declare()
    with pytest.raises(Conflict) as refused:
        world.declare(LINE.replace('"nightly"', '"second"'))
    assert "limits.lines_per_tenant" in str(refused.value)
    runs = []
    for _ in range(4):
        runs.append(world.ended(world.start()))
        world.plant.clock.sleep(1)
    assert {one.id for one in world.room.runs.all("acme")} == {one.id for one in runs[1:]}
    assert world.steps(runs[1])
    with world.plant.store.write() as transaction:
        for number in range(30):
            transaction.lines.log(runs[3].id, 0, "check", str(number), 10)
    assert len(world.room.runs.logs("acme", runs[3].id, 0)) == 10


def test_a_schedule_and_new_data_begin_runs(ready, monkeypatch):
    monkeypatch.setattr(triggers, "LOOK_EVERY_S", 0.0)
    look, clock = ready.room.triggers.step, ready.plant.clock
    ready.declare(LINE + '\n[[trigger]]\non = "schedule"\nhours = 2\n')
    look()
    assert ready.room.runs.all("acme") == []
    clock.sleep(2 * 3600)
    look()
    look()
    (run,) = ready.room.runs.all("acme")
    assert run.by == "trigger schedule"
    ready.ended(run)
    clock.sleep(3600)
    look()
    assert len(ready.room.runs.all("acme")) == 1
    ready.room.lines.pause(ready.admin, "acme", "nightly", paused=True)
    clock.sleep(3 * 3600)
    look()
    assert len(ready.room.runs.all("acme")) == 1


def test_a_new_version_of_its_data_begins_a_run_once(ready, monkeypatch):
    monkeypatch.setattr(triggers, "LOOK_EVERY_S", 0.0)
    ready.declare(LINE + '\n[[trigger]]\non = "data"\n')
    look = ready.room.triggers.step
    look()
    assert ready.room.runs.all("acme") == []
    ready.plant.clock.sleep(10)
    ready.add(SUITE, name="other", kind=AssetKind.SUITE)
    look()
    assert ready.room.runs.all("acme") == []
    ready.add_suite(SUITE * 2)
    look()
    (run,) = ready.room.runs.all("acme")
    ready.ended(run)
    ready.plant.clock.sleep(10)
    look()
    assert len(ready.room.runs.all("acme")) == 1
