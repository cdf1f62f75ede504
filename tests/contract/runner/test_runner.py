"""What `ports.runner.Runner` promises, of every implementation."""

import os
import signal
from pathlib import Path

import pytest

from inland.adapters.processes.cores import may_go_forward
from inland.adapters.processes.watched import WatchedRunner
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.ports.runner import ProcessState, Runner
from tests.patience import until
from tests.unit.processes.standing import Standing, engine


@pytest.fixture
def runner(standing: Standing) -> Runner:
    """As control has it: the supervisor's client, whose table is watched."""
    return WatchedRunner(standing.client)


def _engines(runner: Runner) -> set[str]:
    return {view.name for view in runner.processes() if view.role == "engine"}


def test_every_process_is_listed_the_supervisor_too(runner: Runner) -> None:
    assert {view.role for view in runner.processes()} == {"supervisor", "control", "gateway"}


def test_exactly_the_engines_asked_for_run(runner: Runner) -> None:
    runner.set_engines((engine("a"), engine("b")))
    assert _engines(runner) == {"engine-a", "engine-b"}
    runner.set_engines((engine("b"),))
    until(lambda: _engines(runner) == {"engine-b"})
    runner.set_engines(())
    until(lambda: _engines(runner) == set())


def test_asking_again_changes_nothing(runner: Runner, standing: Standing) -> None:
    runner.set_engines((engine("a"),))
    pid = standing.until("engine-a", ProcessState.RUNNING).pid
    runner.set_engines((engine("a"),))
    assert standing.pid("engine-a") == pid


def test_a_changed_spec_is_another_process(runner: Runner, standing: Standing) -> None:
    runner.set_engines((engine("a"),))
    pid = standing.until("engine-a", ProcessState.RUNNING).pid
    runner.set_engines((engine("a", threads=2),))
    until(lambda: getattr(standing.view("engine-a"), "pid", None) not in {None, pid})
    standing.until("engine-a", ProcessState.RUNNING)


def test_other_cores_are_the_same_process_moved_with_all_its_threads(
    runner: Runner, standing: Standing
) -> None:
    ours = sorted(os.sched_getaffinity(0))
    runner.set_engines((engine("a", cores=(ours[0],)),))
    pid = standing.until("engine-a", ProcessState.RUNNING).pid
    assert pid is not None
    for cores in ((ours[-1],), (ours[0],), ()):
        runner.set_engines((engine("a", cores=cores),))
        assert standing.pid("engine-a") == pid
        tasks = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
        assert all(os.sched_getaffinity(task) == set(cores or ours) for task in tasks)


def test_an_engine_stands_back_from_its_start_until_it_is_told_otherwise(
    runner: Runner, standing: Standing
) -> None:
    """Where its place can be given back, which root's always can."""
    runner.set_engines((engine("a", nice=5),))
    pid = standing.until("engine-a", ProcessState.RUNNING).pid
    assert pid is not None
    before = os.getpriority(os.PRIO_PROCESS, 0)
    behind = before + 5 if may_go_forward() else before
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, behind)
    runner.set_engines((engine("a"),))
    assert standing.pid("engine-a") == pid
    tasks = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    assert all(os.getpriority(os.PRIO_PROCESS, task) == before for task in tasks)


def test_engines_survive_who_asked_for_them(runner: Runner, standing: Standing) -> None:
    runner.set_engines((engine("a"),))
    pid = standing.until("engine-a", ProcessState.RUNNING).pid
    standing.until("control", ProcessState.RUNNING)
    standing.kill("control")
    assert standing.pid("engine-a") == pid


def test_a_dead_engine_is_started_again(runner: Runner, standing: Standing) -> None:
    runner.set_engines((engine("a"),))
    standing.until("engine-a", ProcessState.RUNNING)
    standing.kill("engine-a")


def test_a_hopeless_engine_is_given_up_and_a_changed_one_gets_its_chance(
    runner: Runner, standing: Standing
) -> None:
    standing.behave("engine-a", "die")
    runner.set_engines((engine("a"),))
    view = standing.until("engine-a", ProcessState.FAILED)
    assert view.why
    runner.set_engines((engine("a"),))
    assert standing.until("engine-a", ProcessState.FAILED).restarts == view.restarts
    standing.behave("engine-a", "work")
    runner.set_engines((engine("a", threads=2),))
    standing.until("engine-a", ProcessState.RUNNING)


def test_revive_is_for_what_was_given_up(runner: Runner, standing: Standing) -> None:
    standing.until("control", ProcessState.RUNNING)
    with pytest.raises(Conflict):
        runner.revive("control")
    with pytest.raises(NotFound):
        runner.revive("engine-none")


def test_two_engines_of_one_replica_are_refused(runner: Runner) -> None:
    with pytest.raises(BadInput):
        runner.set_engines((engine("a"), engine("a", threads=2)))
    assert _engines(runner) == set()


def test_ready_is_of_one_life(runner: Runner, standing: Standing) -> None:
    standing.behave("engine-a", "mute")
    runner.set_engines((engine("a"),))
    pid = standing.until("engine-a", ProcessState.STARTING).pid
    assert pid is not None
    runner.report_ready("engine-a", pid)
    standing.until("engine-a", ProcessState.RUNNING)
    os.kill(pid, signal.SIGKILL)
    until(lambda: getattr(standing.view("engine-a"), "pid", None) not in {None, pid})
    assert standing.until("engine-a", ProcessState.STARTING).restarts == 1
    with pytest.raises(NotFound):
        runner.report_ready("engine-b", pid)
