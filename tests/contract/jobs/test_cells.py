"""A job's command is held to its memory, and has time to end by itself where it is asked to."""

import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from inland.adapters.isolation.shut_in import NONE, available
from inland.adapters.jobs.cells import NAMESPACES, CommandCells
from inland.ports.jobs import JobSpec
from tests import memory_scan

MIB = 1024 * 1024
PATIENCE_S = 60.0
pytestmark = pytest.mark.skipif(available() == NONE, reason="this kernel gives no namespaces")

#: Takes so many MiB, and touches them.
_TAKE = "taken = bytearray(int(sys.argv[1]) << 20); taken[::4096] = bytes(len(taken[::4096]))"
#: Several that take as much each, and stay.
_SEVERAL = f"import os, sys, time; [os.fork() for _ in range(2)]; {_TAKE}; print('all', flush=True)"


@pytest.fixture
def begin(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    cells = CommandCells(home, {"PATH": "/usr/bin:/bin"}, NAMESPACES)
    begun = []

    def run(*command: str, memory_bytes: int = 1 << 30, seconds: int = 60, grace_s: int = 60):
        spec = JobSpec("j1", command, (), MIB, seconds, grace_s, memory_bytes)
        begun.append(cells.begin(spec, {}))
        return begun[-1]

    yield run
    for cell in begun:
        cell.end()


def python(text: str, *more: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import sys; {text}", *more)


def test_a_process_that_takes_too_much_gets_none(begin):
    within = begin(*python(_TAKE, "100"), memory_bytes=512 * MIB).wait()
    assert (within.status, within.why) == (0, ""), within.output
    beyond = begin(*python(_TAKE, "600"), memory_bytes=512 * MIB).wait()
    assert beyond.status == 1
    assert b"MemoryError" in beyond.output


def test_processes_that_hold_too_much_together_end(begin):
    end = begin(*python(f"{_SEVERAL}; time.sleep(1000)", "100"), memory_bytes=256 * MIB).wait()
    assert end.status is None
    assert "limits.job_memory_bytes" in end.why


def test_what_is_written_to_tmp_is_bounded_too(begin):
    fill = ("sh", "-c", "dd if=/dev/zero of=/tmp/x bs=1M count=200; ls -l /tmp/x")
    end = begin(*fill, memory_bytes=64 * MIB).wait()
    assert b"No space left" in end.output


_HEEDS = """
import signal, sys, time
def last(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("saved", flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, last)
print("ready", flush=True)
time.sleep(1000)
"""


def listens(pid: int) -> bool:
    """Whether a process catches SIGTERM."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def ask_until(over: threading.Event, cell) -> None:
    while not over.wait(0.05):
        cell.ask()


def test_what_is_asked_to_end_may_still_say_something(begin):
    cell = begin(sys.executable, "-c", _HEEDS, seconds=600)
    end = time.monotonic() + PATIENCE_S
    while not any(map(listens, memory_scan.descendants(cell.pid) - {cell.pid})):
        assert time.monotonic() < end, "it never begins"
        time.sleep(0.01)
    over = threading.Event()
    asking = threading.Thread(target=ask_until, args=(over, cell))
    asking.start()  # again and again: who keeps it may not have listened yet
    told = cell.wait()
    over.set()
    asking.join()
    assert (told.status, bytes(told.output)) == (7, b"ready\nsaved\n"), told.why


def test_what_does_not_heed_is_killed_when_its_time_to_end_is_over(begin):
    deaf = "trap '' TERM; while :; do sleep 1; done"
    end = begin("sh", "-c", deaf, seconds=1, grace_s=1).wait()
    assert (end.status, end.why) == (None, "it took longer than 1 s")
