"""A run goes on behind its last finished step, and does nothing twice that came out already."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from inland.decide.lines.line_file import line_of
from inland.decide.lines.planning import REUSED, Do, Over, digest_of, next_move
from inland.domain.lines import (
    Material,
    Materials,
    Method,
    RunState,
    Serves,
    Step,
    StepKind,
    StepState,
)
from tests.unit.lines.test_line_file import TRAINED, UNTRAINED

LINE, PLAIN = line_of(TRAINED), line_of(UNTRAINED)
MATERIALS = Materials(
    "smol",
    "sha256:00",
    train=(Material("work-order-notes", "a", 1, "d1"),),
    holdout=(Material("work-order-holdout", "b", 1, "d2"),),
    suites=(Material("work-order-suite", "c", 1, "d3"), Material("general", "d", 1, "d4")),
)


def nothing(digest):
    return None


def done(move: Do, run="r", out="x") -> Step:
    outputs = {"digest": out, "by": move.kind.value}
    return Step(
        run, move.kind, StepState.DONE, move.inputs, move.digest, 1, outputs, digest_of(outputs)
    )


def walked(line, materials, before=nothing, out="x"):
    """Every step of a run, in order, and how it ended."""
    steps: dict[StepKind, Step] = {}
    while isinstance(move := next_move(line, materials, steps, before), Do):
        steps[move.kind] = move.reuse or done(move, out=out)
    return steps, move


def test_a_run_takes_its_lines_steps_in_order():
    steps, over = walked(LINE, MATERIALS)
    assert tuple(steps) == LINE.steps
    assert over == Over(RunState.DONE)
    assert tuple(walked(PLAIN, replace(MATERIALS, suites=MATERIALS.suites[:1]))[0]) == PLAIN.steps


@given(st.integers(0, len(LINE.steps)))
def test_wherever_it_was_cut_it_goes_on_behind_the_last_finished_step(cut):
    whole, _ = walked(LINE, MATERIALS)
    kept = dict(list(whole.items())[:cut])
    if cut < len(LINE.steps):
        move = next_move(LINE, MATERIALS, kept, nothing)
        assert isinstance(move, Do)
        assert move.kind is LINE.steps[cut]
        begun = replace(whole[move.kind], state=StepState.RUNNING, outputs={}, outputs_digest="")
        again = next_move(LINE, MATERIALS, {**kept, move.kind: begun}, nothing)
        assert again == move, "a step that was cut is begun again, as it was"
    else:
        assert next_move(LINE, MATERIALS, kept, nothing) == Over(RunState.DONE)


def test_what_was_refused_or_failed_ends_the_run():
    whole, _ = walked(LINE, MATERIALS)
    for state, run in ((StepState.REFUSED, RunState.REFUSED), (StepState.FAILED, RunState.FAILED)):
        gate = replace(whole[StepKind.GATE], state=state, why="no")
        steps = {**whole, StepKind.GATE: gate}
        assert next_move(LINE, MATERIALS, steps, nothing) == Over(run, "no")


def _reused(changed_line, changed) -> set[StepKind]:
    """Which steps of a second run are not done again."""
    first, _ = walked(LINE, MATERIALS)
    known = {step.inputs_digest: replace(step, reused="r") for step in first.values()}
    again, _ = walked(changed_line, changed, known.get, out="y")
    return {kind for kind, step in again.items() if step.reused}


def test_what_did_not_change_is_not_done_again():
    assert _reused(LINE, MATERIALS) == REUSED
    new = (Material("work-order-notes", "a2", 2, "d9"),)
    assert _reused(LINE, replace(MATERIALS, train=new)) >= {StepKind.BASELINE}
    assert StepKind.TRAIN not in _reused(LINE, replace(MATERIALS, train=new))
    seeded = replace(LINE, method=Method(seed=2))
    assert _reused(seeded, MATERIALS) >= {StepKind.BASELINE}
    assert StepKind.TRAIN not in _reused(seeded, MATERIALS)
    strict = replace(LINE, gate=replace(LINE.gate, regressions=()))
    assert _reused(strict, MATERIALS) == REUSED - {StepKind.GATE}


def test_what_one_runs_evaluation_found_is_the_baseline_of_the_next():
    first, _ = walked(LINE, MATERIALS)
    serves = Serves("a-release", "an-asset", str(first[StepKind.TRAIN].outputs["digest"]))
    new = (Material("work-order-notes", "a2", 2, "d9"),)
    assert _reused(LINE, replace(MATERIALS, train=new, serves=serves)) == {StepKind.BASELINE}
    other = replace(serves, digest="another")
    assert _reused(LINE, replace(MATERIALS, train=new, serves=other)) == set()


def test_of_a_base_that_nobody_can_know_nothing_is_taken_for_done():
    assert _reused(LINE, replace(MATERIALS, base=None)) == set()
