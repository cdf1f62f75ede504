"""Real processes under a real supervisor: what dies comes back, what is over is over."""

import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from inland.adapters.processes import lock
from inland.adapters.processes.child import Launch, bootstrap_argv
from inland.adapters.processes.identity import lives, start_ticks
from inland.adapters.processes.lifeline import ORPHANED
from inland.adapters.processes.listeners import open_listener, prove_free
from inland.adapters.processes.logs import bound, last_line, rotate
from inland.adapters.processes.supervisor import StartLimits, Supervisor
from inland.domain.errors import Busy, Conflict
from inland.ports.runner import ProcessState
from tests.patience import PATIENCE_S, until
from tests.unit.processes.standing import (
    PATIENT,
    Standing,
    config,
    engine,
    environment,
    stand_in,
    works,
)


def _ask(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as caller:
        return caller.recv(64).decode()


@pytest.mark.parametrize("name", ["control", "gateway-0"])
def test_a_killed_child_comes_back_as_another_process(standing: Standing, name: str) -> None:
    standing.until(name, ProcessState.RUNNING)
    standing.kill(name)
    view = standing.view(name)
    assert view is not None
    assert view.restarts == 1
    assert "SIGKILL" in (view.why or "")


def test_callers_wait_out_the_death_of_a_gateway(standing: Standing) -> None:
    standing.until("gateway-0", ProcessState.RUNNING)
    before = _ask(standing.port)
    standing.behave("gateway-0", "mute")
    os.kill(int(before), signal.SIGKILL)
    assert _ask(standing.port) != before


def test_a_hopeless_child_is_given_up_with_its_last_words_and_can_be_revived(home: Path) -> None:
    (home / "behave-gateway-0").write_text("die")
    standing = Standing(config(home))
    try:
        view = standing.until("gateway-0", ProcessState.FAILED)
        assert view.why == "exit code 1: it cannot go on"
        assert view.restarts == 2
        with pytest.raises(ConnectionRefusedError):
            _ask(standing.port)
        standing.behave("gateway-0", "work")
        standing.client.revive("gateway-0")
        standing.until("gateway-0", ProcessState.RUNNING)
        assert _ask(standing.port)
    finally:
        standing.stop()


def test_only_the_present_life_can_report_itself_ready(standing: Standing) -> None:
    standing.until("control", ProcessState.RUNNING)
    standing.behave("control", "mute")
    pid = standing.pid("control")
    os.kill(pid, signal.SIGKILL)
    until(lambda: standing.view("control").pid not in {None, pid})  # type: ignore[union-attr]
    with pytest.raises(Conflict):
        standing.client.report_ready("control", pid)
    standing.client.report_ready("control", standing.pid("control"))
    assert works(standing.view("control"))


def test_each_gateway_is_told_which_of_how_many_it_is_in_every_life(home: Path) -> None:
    launches: list[Launch] = []

    def told(launch: Launch) -> list[str]:
        launches.append(launch)
        return stand_in(launch)

    standing = Standing(replace(config(home, gateways=3), argv=told))
    try:
        for number in range(3):
            standing.until(f"gateway-{number}", ProcessState.RUNNING)
        standing.kill("gateway-1")
        standing.kill("gateway-1")
    finally:
        standing.stop()
    seen = [(one.name, one.index, one.first) for one in launches if one.role == "gateway"]
    first = [(f"gateway-{number}", number, True) for number in range(3)]
    assert seen == [*first, *[("gateway-1", 1, False)] * 2]
    words = bootstrap_argv(launches[-1])
    assert words[words.index("--index") + 1] == "1"
    assert words[words.index("--gateways") + 1] == "3"
    assert "--first" not in words


def test_stop_ends_gateways_then_control_then_engines_and_frees_the_home(home: Path) -> None:
    standing = Standing(config(home, gateways=2))
    standing.client.set_engines((engine("a"),))
    for name in ("gateway-0", "gateway-1", "control", "engine-a"):
        standing.until(name, ProcessState.RUNNING)
    pids = [view.pid for view in standing.client.processes() if view.role != "supervisor"]
    standing.stop()
    told = (home / "told").read_text().split()
    assert set(told[:2]) == {"gateway-0", "gateway-1"}
    assert told[2:] == ["control", "engine-a"]
    assert not [pid for pid in pids if pid is not None and start_ticks(pid) is not None]
    assert not lock.is_held(home / "run" / "lock")
    assert not (home / "run" / "supervisor.sock").exists()


def test_a_child_deaf_to_the_signal_is_killed_when_its_grace_is_over(home: Path) -> None:
    (home / "behave-engine-a").write_text("deaf")
    standing = Standing(config(home, grace=replace(PATIENT, engine_s=0.3)))
    try:
        standing.client.set_engines((engine("a"),))
        standing.until("engine-a", ProcessState.RUNNING)
        pid = standing.pid("engine-a")
        standing.client.set_engines(())
        until(lambda: standing.view("engine-a") is None)
        assert start_ticks(pid) is None
        assert not (home / "told").exists(), "it did not end by itself"
    finally:
        standing.stop()


def test_a_second_supervisor_of_a_home_is_refused(standing: Standing) -> None:
    with pytest.raises(Conflict, match="already running"):
        Supervisor(config(standing.home))


def test_a_port_in_use_is_refused_and_the_home_stays_free(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Conflict, match="in use"):
            Supervisor(config(home, port=taken.getsockname()[1]))
    assert not lock.is_held(home / "run" / "lock")


def test_a_port_shared_by_a_stranger_is_refused() -> None:
    with open_listener(0) as stranger, pytest.raises(Conflict):
        prove_free(stranger.getsockname()[1])


def test_the_remains_of_closed_connections_do_not_hold_up_a_restart() -> None:
    with open_listener(0) as listener:
        listener.settimeout(PATIENCE_S)
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as caller:
            served, _ = listener.accept()
            served.close()
            assert caller.recv(1) == b""
    assert prove_free(port) == port


RUN = """
import sys
import threading
from dataclasses import replace
from pathlib import Path
from tests.unit.processes.standing import config
from inland.adapters.processes.supervisor import run
run(config(Path(sys.argv[1])), lambda told: print(told.port, flush=True))
"""


def _start_supervisor(home: Path) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", RUN, str(home)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment())


def test_children_end_when_their_supervisor_is_killed_and_the_next_one_waits_for_them(
    home: Path,
) -> None:
    """Whatever they are doing: one of them lets no thread of its own run."""
    (home / "behave-control").write_text("busy")
    with _start_supervisor(home) as first:
        assert first.stdout is not None
        assert first.stdout.readline()
        standing = _Asked(home)
        for name in ("control", "gateway-0"):
            standing.until(name, ProcessState.RUNNING)
        children = [
            (view.pid, view.start)
            for view in standing.client.processes()
            if view.role != "supervisor"
        ]
        first.kill()
    (home / "behave-control").write_text("work")
    with _start_supervisor(home) as second:
        assert second.stdout is not None
        assert second.stdout.readline()
        until(lambda: not any(lives(pid, start) for pid, start in children if pid and start))
        _Asked(home).until("gateway-0", ProcessState.RUNNING)
        second.send_signal(signal.SIGTERM)
        assert second.wait(PATIENCE_S) == 0


def test_a_child_that_begins_after_its_supervisors_end_ends_at_once() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    begin = "from inland.adapters.processes.lifeline import end_with_supervisor as tied; import sys"
    argv = [sys.executable, "-c", f"{begin}; tied(int(sys.argv[1])); sys.exit(1)", str(reading)]
    done = subprocess.run(argv, pass_fds=(reading,), env=environment(), check=False)
    os.close(reading)
    assert done.returncode == ORPHANED


class _Asked(Standing):
    """The questions of `Standing` to a supervisor that runs elsewhere."""

    def __init__(self, home: Path) -> None:
        from inland.adapters.processes.client import SupervisorClient

        self.home = home
        self.client = SupervisorClient(home / "run" / "supervisor.sock")


def test_nonsense_on_the_socket_is_answered_and_harms_nobody(standing: Standing) -> None:
    for line in (
        b"{}\n",
        b"[]\n",
        b'{"op":"set_engines","specs":[{}]}\n',
        b"\xff\n",
        b'{"op":1}\n',
    ):
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(standing.home / "run" / "supervisor.sock"))
            caller.sendall(line)
            assert b'"ok":false' in caller.makefile("rb").readline()
    assert works(standing.until("control", ProcessState.RUNNING))


def test_no_supervisor_is_said_as_busy(home: Path) -> None:
    from inland.adapters.processes.client import SupervisorClient

    with pytest.raises(Busy):
        SupervisorClient(home / "supervisor.sock").processes()


def test_a_log_that_has_grown_is_put_aside_and_its_last_line_is_found(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("first\nlast\x07words\n\n")
    assert last_line(log) == "last words"
    assert last_line(log, since=log.stat().st_size) == ""
    rotate(log, limit_bytes=3)
    assert not log.exists()
    assert (tmp_path / "x.log.1").exists()


def test_the_remains_of_another_process_with_the_same_number_do_not_count() -> None:
    pid, start = os.getpid(), start_ticks(os.getpid())
    assert start is not None
    assert lives(pid, start)
    assert not lives(pid, start + 1)


@pytest.mark.parametrize(
    ("name", "limits"),
    [("control", StartLimits(control_s=0.3)), ("gateway-0", StartLimits(gateway_s=0.3))],
)
def test_a_child_that_hangs_at_its_start_is_given_up(
    home: Path, name: str, limits: StartLimits
) -> None:
    (home / f"behave-{name}").write_text("mute")
    standing = Standing(config(home, limits=limits))
    try:
        view = standing.until(name, ProcessState.FAILED)
        assert view.why == "not ready within 0.3 s"
        assert view.restarts == 2
        standing.behave(name, "work")
        standing.give_time()
        standing.client.revive(name)
        standing.until(name, ProcessState.RUNNING)
    finally:
        standing.stop()


def test_a_gateway_is_not_blamed_for_a_control_that_does_not_work(home: Path) -> None:
    (home / "behave-control").write_text("mute")
    (home / "behave-gateway-0").write_text("mute")
    limits = StartLimits(gateway_s=0.1, control_s=0.5)
    standing = Standing(config(home, limits=limits))
    try:
        standing.until("control", ProcessState.FAILED)
        view = standing.until("gateway-0", ProcessState.STARTING)
        assert view.restarts == 0
        standing.behave("control", "work")
        standing.give_time(gateway_s=0.1)
        standing.client.revive("control")
        assert standing.until("gateway-0", ProcessState.FAILED).why == "not ready within 0.1 s"
    finally:
        standing.stop()


def test_a_log_is_bounded_while_its_process_writes_to_it(tmp_path: Path) -> None:
    log = tmp_path / "gateway-0.log"
    assert not bound(log, 100)
    with log.open("ab", buffering=0) as writing:
        writing.write(b"x" * 100)
        assert not bound(log, 100)
        writing.write(b"y\n")
        assert bound(log, 100)
        writing.write(b"last words\n")
    assert log.read_bytes() == b"last words\n"
    assert log.with_name("gateway-0.log.1").read_bytes() == b"x" * 100 + b"y\n"


def test_a_lock_is_waited_for_while_the_last_children_of_a_dead_supervisor_end(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run" / "lock"
    lock.wait_free(path)
    path.parent.mkdir()
    held = lock.take(path)
    path.write_text('{"pid": 1, "start": -1}')
    with pytest.raises(Conflict, match="have not ended"):
        lock.wait_free(path, 0.05)
    threading.Timer(0.1, lambda: os.close(held)).start()
    lock.wait_free(path)
    assert not lock.is_held(path)
