"""A watched table is asked for again when it may have changed, and only then."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from inland.adapters.processes.identity import start_ticks
from inland.adapters.processes.watched import WatchedRunner
from inland.ports.runner import EngineSpec, ProcessState, ProcessView
from tests.unit.processes.standing import engine


class Table:
    """A runner whose engines are processes that do nothing. `looks`: how often it was asked."""

    def __init__(self) -> None:
        self.looks = 0
        self.views: dict[str, ProcessView] = {}
        self.processes_of: dict[str, subprocess.Popen[bytes]] = {}
        self.ready: list[str] = []

    def set_engines(self, specs: tuple[EngineSpec, ...]) -> None:
        for name in self.views.keys() - {spec.replica for spec in specs}:
            del self.views[name]
            self.kill(name)
        for spec in specs:
            if spec.replica not in self.views:
                self.begin(spec.replica)

    def begin(self, name: str) -> None:
        process = self.processes_of[name] = subprocess.Popen(["sleep", "1000"])
        start = start_ticks(process.pid)
        self.views[name] = ProcessView(
            name, "engine", ProcessState.RUNNING, process.pid, start, 0, replica=name
        )

    def kill(self, name: str) -> None:
        """It has ended when this returns; the table says so only when it is told to."""
        process = self.processes_of.pop(name)
        process.kill()
        process.wait()

    def end(self, names: tuple[str, ...]) -> None:
        for name in names:
            self.kill(name)
            del self.views[name]

    def report_ready(self, name: str, pid: int, inland: str | None = None) -> None:
        self.ready.append(name)

    def revive(self, name: str) -> None:
        self.begin(name)

    def processes(self) -> tuple[ProcessView, ...]:
        self.looks += 1
        return tuple(self.views.values())


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table()
    yield made
    for name in list(made.processes_of):
        made.kill(name)


@pytest.fixture
def runner(table: Table) -> WatchedRunner:
    made = WatchedRunner(table)
    made.set_engines((engine("a"),))
    made.processes()
    return made


def _looked(table: Table, runner: WatchedRunner) -> int:
    """How often one look asks."""
    before = table.looks
    assert runner.processes() is not None
    return table.looks - before


def test_while_all_run_the_table_is_not_asked_for(table, runner):
    assert [_looked(table, runner) for _ in range(5)] == [0] * 5
    assert runner.processes() == tuple(table.views.values())


def test_an_end_is_noticed_by_the_next_look_and_until_the_table_knows(table, runner):
    table.kill("a")
    assert [_looked(table, runner) for _ in range(3)] == [1] * 3
    table.views["a"] = replace(
        table.views["a"], state=ProcessState.BACKING_OFF, pid=None, start=None
    )
    assert [_looked(table, runner) for _ in range(3)] == [1] * 3
    table.begin("a")
    assert [_looked(table, runner) for _ in range(3)] == [1, 0, 0]


@pytest.mark.parametrize(
    "asked",
    [
        lambda runner, _: runner.set_engines((engine("a"), engine("b"))),
        lambda runner, _: runner.end(("a",)),
        lambda runner, table: runner.report_ready("a", table.views["a"].pid),
        lambda runner, _: runner.revive("b"),
    ],
)
def test_who_asks_for_something_sees_it(table, runner, asked):
    asked(runner, table)
    assert _looked(table, runner) == 1
    assert runner.processes() == tuple(table.views.values())


@pytest.mark.parametrize("state", [one for one in ProcessState if one is not ProcessState.RUNNING])
def test_what_does_not_run_may_change_by_itself(table, runner, state):
    table.views["a"] = replace(table.views["a"], state=state)
    runner.report_ready("a", 1)
    assert [_looked(table, runner) for _ in range(3)] == [1] * 3


def test_a_number_that_another_process_has_now_is_not_taken_for_it(table, runner):
    table.views["a"] = replace(table.views["a"], start=1)
    runner.report_ready("a", 1)
    assert [_looked(table, runner) for _ in range(3)] == [1] * 3


def test_a_table_told_before_something_was_asked_for_is_not_kept(table, runner, monkeypatch):
    """The answer to a look that began before comes after."""
    processes: Callable[[], tuple[ProcessView, ...]] = table.processes

    def overtaken() -> tuple[ProcessView, ...]:
        told = processes()
        monkeypatch.setattr(table, "processes", processes)
        runner.set_engines((engine("a"), engine("b")))
        return told

    runner.report_ready("a", 1)
    monkeypatch.setattr(table, "processes", overtaken)
    assert [one.name for one in runner.processes()] == ["a"]
    assert [one.name for one in runner.processes()] == ["a", "b"]


def test_a_failed_request_may_have_been_heard(table, runner, monkeypatch):
    def cut(specs: tuple[EngineSpec, ...]) -> None:
        Table.set_engines(table, specs)
        raise OSError("cut")

    monkeypatch.setattr(table, "set_engines", cut)
    with pytest.raises(OSError, match="cut"):
        runner.set_engines((engine("a"), engine("b")))
    assert _looked(table, runner) == 1


def test_a_table_that_is_known_no_more_holds_nothing(table, runner):
    pid = table.processes_of["a"].pid
    assert _watched(pid) == 1
    for _ in range(5):
        runner.report_ready("a", 1)
        assert _watched(pid) == 0
        runner.processes()
        assert _watched(pid) == 1


def _watched(pid: int) -> int:
    """How often this process has that one in hand."""
    told = []
    for descriptor in Path("/proc/self/fdinfo").iterdir():
        with suppress(OSError):  # one that was closed meanwhile
            told.append(descriptor.read_text().split("\n"))
    return sum(f"Pid:\t{pid}" in lines for lines in told)
