"""`ports.lines.LineTables`: what was put is there, bounded as asked, over both databases."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from inland.adapters.sql.database import Database, sqlite_url
from inland.domain.lines import (
    Floor,
    Gate,
    KeptLine,
    Line,
    Material,
    Materials,
    Method,
    Run,
    RunState,
    Step,
    StepKind,
    StepState,
    SuiteUse,
    Trigger,
    TriggerKind,
)
from inland.domain.releases import Pace
from inland.ports.store import Store
from tests import postgresql

LINE = Line(
    "nightly",
    "smollm2",
    (SuiteUse("sums", "sums"),),
    Gate((Floor("sums", 0.1),)),
    ("notes",),
    ("held",),
    Method(),
    "notes",
    Pace(errors_most=0.25),
    (Trigger(TriggerKind.SCHEDULE, 24),),
    once=True,
    metadata={"a": "b"},
)
KEPT = KeptLine("acme", LINE, "text", 7, paused=True, key="k")
MATERIALS = Materials("smol", None, suites=(Material("sums", "a", 2, "d"),))
RUN = Run("run-0", "acme", "nightly", "k", RunState.RUNNING, 1, "text", MATERIALS)
STEP = Step(
    "run-0", StepKind.CHECK, StepState.DONE, {"a": 1}, "in", 2, {"b": [0.5]}, "out", ("r",), "", "w"
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request, tmp_path_factory) -> Iterator[Store]:
    with ExitStack() as ends:
        url = sqlite_url(tmp_path_factory.mktemp("db") / "a.db")
        if request.param == "postgresql":
            url = ends.enter_context(postgresql.server()).database()
        made = Database(url, synchronous="OFF")
        ends.callback(made.close)
        yield made


def test_all_that_was_put_is_there(store: Store):
    with store.write() as transaction:
        transaction.lines.put_line(replace(KEPT, paused=False))
        transaction.lines.put_line(KEPT)
        transaction.lines.put_run(RUN)
        transaction.lines.put_step(replace(STEP, state=StepState.RUNNING))
        transaction.lines.put_step(STEP)
    with store.read() as transaction:
        assert transaction.lines.line("acme", "nightly") == KEPT
        assert transaction.lines.lines("acme") == [KEPT]
        assert transaction.lines.lines("demo") == []
        assert transaction.lines.run("run-0") == RUN
        assert transaction.lines.under_way() == [RUN]
        assert transaction.lines.steps("run-0") == {StepKind.CHECK: STEP}
        before = transaction.lines.done_before("acme", "nightly", "in")
        assert before == STEP
        for asked in (("demo", "nightly", "in"), ("acme", "x", "in"), ("acme", "nightly", "x")):
            assert transaction.lines.done_before(*asked) is None
    with store.write() as transaction:
        transaction.lines.remove_step("run-0", StepKind.CHECK)
        assert transaction.lines.steps("run-0") == {}


def test_runs_are_shown_newest_first_and_forgotten_with_all_of_theirs(store: Store):
    with store.write() as transaction:
        for number in range(1, 6):
            state = RunState.RUNNING if number == 1 else RunState.DONE
            name = f"kept-{number}"
            run = replace(RUN, id=name, line="kept", state=state, began_unix_us=number)
            transaction.lines.put_run(run)
            transaction.lines.put_step(replace(STEP, run=name))
            transaction.lines.log(name, 1, "check", "said", 10)
        transaction.lines.forget_runs("acme", "kept", 2)
    with store.read() as transaction:
        shown = [one.id for one in transaction.lines.runs("acme", "kept", 10)]
        assert shown == ["kept-5", "kept-4", "kept-1"], "what is under way stays"
        assert transaction.lines.steps("kept-2") == {}
        assert transaction.lines.logs("kept-2", 0, 10) == []
        assert len(transaction.lines.logs("kept-5", 0, 10)) == 1
        assert [one.id for one in transaction.lines.runs(None, "kept", 1)] == ["kept-5"]


def test_a_line_that_is_removed_leaves_nothing_but_what_is_under_way(store: Store):
    with store.write() as transaction:
        for tenant in ("acme", "demo"):
            kept = replace(KEPT, tenant=tenant, line=replace(LINE, name="gone"))
            transaction.lines.put_line(kept)
            for number, state in enumerate((RunState.RUNNING, RunState.DONE)):
                run = replace(RUN, id=f"{tenant}-{number}", tenant=tenant, line="gone", state=state)
                transaction.lines.put_run(run)
        transaction.lines.remove_line("acme", "gone")
    with store.read() as transaction:
        assert transaction.lines.line("acme", "gone") is None
        assert transaction.lines.line("demo", "gone") is not None
        assert [one.id for one in transaction.lines.runs("acme", "gone", 9)] == ["acme-0"]
        assert len(transaction.lines.runs("demo", "gone", 9)) == 2


def test_of_a_log_the_newest_lines_stay(store: Store):
    with store.write() as transaction:
        for number in range(1, 8):
            transaction.lines.log("logged", number, "check", f"line {number}", 3)
    with store.read() as transaction:
        found = transaction.lines.logs("logged", 0, 10)
        assert [(one.number, one.text) for one in found] == [
            (number, f"line {number}") for number in (5, 6, 7)
        ]
        assert [one.number for one in transaction.lines.logs("logged", 5, 1)] == [6]
