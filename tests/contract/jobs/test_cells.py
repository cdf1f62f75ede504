"""A job's command is held to its memory, and has time to end by itself where it is asked to."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from inland.adapters.isolation.shut_in import KERNEL, NONE, UNFILTERED, available
from inland.adapters.jobs.cells import CommandCells, held_in
from inland.adapters.memory.memory_file import MemoryFile, MemoryRoom
from inland.adapters.training import events
from inland.domain.errors import Conflict
from inland.domain.lines import Method
from inland.ports.jobs import LINE_BYTES, JobSpec
from inland.ports.plaintext import Plaintext
from inland.ports.trainer import Trained, TrainOrder, TrainPlaces
from tests import memory_scan
from tests.patience import until
from tests.training.fake_trainer import FakeTrainer

MIB = 1024 * 1024
pytestmark = pytest.mark.skipif(available() == NONE, reason="this kernel gives no namespaces")

#: Takes so many MiB, and touches them.
_TAKE = "taken = bytearray(int(sys.argv[1]) << 20); taken[::4096] = bytes(len(taken[::4096]))"
#: Several that take as much each, and stay.
_SEVERAL = f"import os, sys, time; [os.fork() for _ in range(2)]; {_TAKE}; print('all', flush=True)"


@pytest.fixture
def begin(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    cells = CommandCells(home, {"PATH": "/usr/bin:/bin"}, held_in(available()))
    begun = []

    def run(
        *command: str,
        memory_bytes: int = 1 << 30,
        seconds: int = 600,
        grace_s: int = 600,
        files: Mapping[str, Plaintext] | None = None,
        **more,
    ):
        spec = JobSpec("j1", command, (), MIB, seconds, grace_s, memory_bytes)
        begun.append(cells.begin(replace(spec, **more), files or {}))
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
print("ready", flush=True)
signal.signal(signal.SIGTERM, last)
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
    below = lambda: memory_scan.descendants(cell.pid) - {cell.pid}  # noqa: E731
    until(lambda: any(map(listens, below())), "it never begins")
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


def test_a_trainer_writes_to_the_memory_it_was_given_and_is_heard_as_it_goes(begin):
    """The fake one, where the real one would be: its words, what it may read, what it prints."""
    trainer = FakeTrainer()
    program = trainer.program()
    assert program is not None
    rooms = {name: MemoryRoom(MIB) for name in ("one", "two", "adapter", "gguf")}
    files = {"base": MemoryFile([b"GGUF"]), "data": MemoryFile([b"{}"])}
    order = TrainOrder("asset:base", ("asset:data",), (), Method(checkpoint_steps=2), 1)
    places = TrainPlaces(("asset:one", "asset:two"), "asset:adapter", "asset:gguf")
    said = []
    cell = begin(
        *program.words,
        *trainer.words(order, places),
        files=files | rooms,
        readable=program.readable,
    )
    end = cell.wait(lambda line: said.append(events.event(line.decode())))
    assert (end.status, end.why, bytes(end.output)) == (0, "", b"")
    assert isinstance(said[-1], Trained)
    assert rooms["gguf"].read(0, said[-1].gguf_bytes).startswith(b"gguf ")
    assert [one.bytes for one in rooms.values()] == [MIB] * 4
    for room in rooms.values():
        room.close()
    for file in files.values():
        file.close()


_OPEN = "import os; file = os.open(sys.argv[1], os.O_RDWR)"


def test_memory_that_is_written_to_stays_as_long_as_it_was(begin):
    with MemoryFile([b"as it was"]) as file:
        room = MemoryRoom(4096)
        longer = python(f"{_OPEN}; os.pwrite(file, b'x', 4096)", "asset:room")
        shorter = python(f"{_OPEN}; os.ftruncate(file, 1)", "asset:room")
        other = python(_OPEN, "asset:file")
        for command in (longer, shorter, other):
            end = begin(*command, files={"room": room, "file": file}).wait()
            assert end.status == 1
            assert b"PermissionError" in end.output
        assert room.read(0, 9999) == bytes(4096)
        room.close()


def test_what_a_command_prints_is_heard_while_it_runs(begin):
    cell = begin("sh", "-c", "echo one; echo two; sleep 1000")
    heard = []

    def hear(line: bytes) -> None:
        heard.append(line)
        if line == b"two":
            raise Conflict("it", "has said enough")

    with pytest.raises(Conflict):
        cell.wait(hear)
    assert heard == [b"one", b"two"], "and what raised ended a command that would sleep on"


def test_a_line_without_end_is_heard_in_bounded_pieces(begin):
    heard: list[bytes] = []
    end = begin(*python(f"print('x' * {3 * LINE_BYTES}); print('end', end='')")).wait(heard.append)
    assert end.status == 0
    assert max(map(len, heard)) <= LINE_BYTES
    assert heard[-1] == b"end"


_ROADS = """
import socket
for kind in ((socket.AF_VSOCK, 1), (socket.AF_PACKET, 3), (socket.AF_INET, 1), (socket.AF_UNIX, 2)):
    try:
        print(socket.socket(*kind).close())
    except OSError as error:
        print(type(error).__name__, error.errno)
"""


@pytest.mark.skipif(available() != KERNEL, reason="this kernel has no filter of system calls")
def test_a_command_has_no_road_beside_networks(begin):
    end = begin(*python(_ROADS)).wait()
    refused = f"OSError {errno.EAFNOSUPPORT}"
    assert end.output.decode().splitlines() == [refused, refused, "None", "None"]


def test_where_the_kernel_has_no_filter_no_job_is_said_to_have_one():
    told = {"none": "none", UNFILTERED: "namespaces", KERNEL: "namespaces+seccomp"}
    assert {isolation: held_in(isolation) for isolation in told} == told


def test_a_command_has_its_cores_and_gives_way(begin):
    tell = python("import os; print(os.nice(0), sorted(os.sched_getaffinity(0)))")
    core = min(os.sched_getaffinity(0))
    end = begin(*tell, cores=(core,), nice=7).wait()
    assert bytes(end.output) == f"{min(19, os.nice(0) + 7)} [{core}]\n".encode()


def test_a_command_that_somebody_kills_is_told_from_one_that_ended(begin):
    assert begin("sh", "-c", "kill -9 $$").wait().killed
    assert not begin("sh", "-c", "exit 3").wait().killed
    assert not begin("sh", "-c", "sleep 1000", seconds=1, grace_s=0).wait().killed


_CONNECT = """
import socket, sys
from pathlib import Path
from inland.adapters.jobs.cells import NAMESPACES, CommandCells
from inland.ports.jobs import JobSpec
home, given = map(Path, sys.argv[1:])
text = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
command = (sys.executable, "-c", text, str(given / "socket"))
spec = JobSpec("j1", command, (str(given),), 1 << 20, 600, 1, 1 << 30)
end = CommandCells(home, {"PATH": "/usr/bin:/bin"}, NAMESPACES).begin(spec, {}).wait()
print(end.status, end.output.decode())
"""


def test_a_socket_that_is_mounted_on_a_plain_file_is_not_there_for_it(tmp_path):
    home, given, outside = (tmp_path / name for name in ("home", "given", "outside"))
    for folder in (home, given, outside):
        folder.mkdir()
    (given / "socket").touch()
    mount = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    argv = ["unshare", "-Urm", "sh", "-c", mount, "sh", outside / "socket", given / "socket"]
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(outside / "socket"))
        theirs.listen()
        argv += [sys.executable, "-c", _CONNECT, home, given]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("1 ")
    assert "ConnectionRefusedError" in done.stdout


def test_a_link_leads_to_no_more_than_the_name_of_what_it_leads_to(begin, tmp_path):
    (tmp_path / "home" / "secret").write_text("secret")
    (tmp_path / "plain").write_text("plain")
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    end = begin("cat", f"{link}/plain", f"{link}/home/secret", readable=(str(link),)).wait()
    assert end.status == 1
    assert end.output.startswith(b"plain")
    assert b"No such file" in end.output
    link.unlink()
    link.symlink_to(tmp_path / "home" / "secret")
    with pytest.raises(Conflict, match="is not for jobs"):
        begin("cat", str(link), readable=(str(link),))
