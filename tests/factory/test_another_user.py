"""Another user of the machine sees the port and nothing else: no file, no socket, no process.

Each file and socket must refuse by itself, so the folders around it are opened first.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from inland.adapters.sql.copies import keep_copy
from tests.factory.running import MODEL, Running, running
from tests.patience import until

#: Debian's `nobody`; no file of this machine belongs to it.
STRANGER = 65534
#: Becomes the stranger, tries what its standard input names, and tells what it could do. All it
#: needs is loaded before: the interpreter may lie where a stranger cannot reach.
TRY = r"""
import ctypes, encodings.idna, json, os, socket, sys, urllib.error, urllib.request
libc = ctypes.CDLL(None, use_errno=True)
uid = int(sys.argv[1])
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
asked, did = json.load(sys.stdin), []
def can(what, act, *given):
    try:
        got = act(*given)
    except OSError:
        return
    did.append([what, *map(str, given)])
def read(path):
    with open(path, "rb"):
        pass
def write(path):
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
def connect(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(2)
        one.connect(path)
def attach(pid):
    if libc.ptrace(16, pid, 0, 0) != 0:
        raise OSError
for path in asked["paths"]:
    for act in (read, write, connect, os.listdir, os.readlink):
        can(act.__name__, act, path)
    can("create", lambda at: os.mkdir(at + "/stranger"), path)
    can("unlink", os.unlink, path)
    can("chmod", lambda at: os.chmod(at, 0o777), path)
for path in asked["readable"]:
    can("read", read, path)
for pid in asked["pids"]:
    can("attach", attach, pid)
    can("signal", lambda one: os.kill(one, 0), pid)
    for name in ("environ", "mem", "maps", "smaps", "auxv", "io", "stack", "syscall", "pagemap"):
        can("read", read, f"/proc/{pid}/{name}")
    for name in ("fd", "fdinfo", "map_files"):
        can("list", os.listdir, f"/proc/{pid}/{name}")
    for name in ("cwd", "root", "exe", "ns/net", "ns/mnt"):
        can("link", os.readlink, f"/proc/{pid}/{name}")
    did.append(["cmdline", str(pid), open(f"/proc/{pid}/cmdline", "rb").read().decode()])
answers = {}
for path in asked["urls"]:
    try:
        answers[path] = urllib.request.urlopen(path, timeout=90).status
    except urllib.error.HTTPError as error:
        answers[path] = error.code
print(json.dumps({"uid": os.getuid(), "did": did, "answers": answers}))
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture(scope="module")
def factory(model_file: Path) -> Iterator[Running]:
    """One that has done a little of everything, in a folder that anybody can reach."""
    assert model_file.exists()
    folder = Path(tempfile.mkdtemp(prefix="inland-"))
    folder.chmod(0o755)
    try:
        with running(folder / "home") as up:
            body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello."}]}
            with up.http("demo", trust_env=False) as http:
                for stream in (True, False):
                    sent = body | {"stream": stream, "max_tokens": 3}
                    assert http.post("/v1/chat/completions", json=sent).status_code == 200
            until(lambda: list(up.home.glob("records/demo/*")), "nothing was booked")
            up.run("policy", "apply", str(up.home / "policies"))
            keep_copy(up.home / "inland.db", "0000")
            yield up
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def opened(home: Path) -> Iterator[None]:
    """Every folder of the home open to all, as by a careless hand; then as it was."""
    folders = [home, *(path for path in home.rglob("*") if path.is_dir())]
    modes = {path: path.stat().st_mode for path in folders}
    assert {mode & 0o077 for mode in modes.values()} == {0}, "each folder is private"
    try:
        for path in folders:
            path.chmod(0o755)
        yield
    finally:
        for path, mode in modes.items():
            if path.exists():
                path.chmod(mode)


def ask(**asked: Any) -> dict[str, Any]:
    """What a stranger can do of it."""
    given = {"paths": [], "readable": [], "pids": [], "urls": []} | asked
    done = subprocess.run(
        [sys.executable, "-I", "-c", TRY, str(STRANGER)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        env={},
    )
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["uid"] == STRANGER
    return told


def pids(factory: Running) -> list[int]:
    return [one["pid"] for one in factory.processes() if one["pid"]]


def open_files(pid: int) -> set[str]:
    """Where the process's descriptors and mapped files lie."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(str(link.readlink()))
    maps = Path(f"/proc/{pid}/maps").read_text()
    return found | set(re.findall(r" (/\S.*)$", maps, re.MULTILINE))


def test_what_is_open_is_found_open() -> None:
    """What the tests below find closed is found by a stranger where it is not."""
    folder = Path(tempfile.mkdtemp())
    own = subprocess.Popen(["sleep", "1000"], user=STRANGER, group=STRANGER, extra_groups=[])
    try:
        folder.chmod(0o777)
        file, path = folder / "open", folder / "socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            file.write_text("x")
            file.chmod(0o666)
            path.chmod(0o666)
            told = ask(paths=[str(folder), str(file), str(path)], pids=[own.pid])["did"]
    finally:
        own.kill()
        own.wait()
        shutil.rmtree(folder)
    did = {(what, where) for what, where, *_ in told}
    assert did >= {("read", str(file)), ("write", str(file)), ("listdir", str(folder))}
    assert did >= {("create", str(folder)), ("connect", str(path)), ("signal", str(own.pid))}
    assert did >= {("read", f"/proc/{own.pid}/{name}") for name in ("environ", "mem", "maps")}


def test_the_home_is_closed(factory: Running) -> None:
    everything = [factory.home, *factory.home.rglob("*")]
    assert ask(paths=[str(path) for path in everything])["did"] == []


def test_each_file_and_socket_of_the_home_is_closed_by_itself(factory: Running) -> None:
    there = [path for path in factory.home.rglob("*") if not path.is_dir()]
    names = {str(path.relative_to(factory.home)) for path in there}
    for needed in (
        *("run/control.sock", "run/feed.sock", "run/supervisor.sock", "run/lock", "inland.db"),
        *("inland.db-wal", "inland.db-shm", "inland.db.before-0000", "keys/log", "keys/operator"),
        *("keys/first.json", "keys/head", "keys/tenants/demo", "factory.toml"),
        *("logs/control.log", "logs/gateway-0.log", "logs/supervisor.log", "ledger/checkpoint"),
    ):
        assert needed in names
    for folder in ("run/engine-", "journal/", "records/demo/", "policies/"):
        assert any(name.startswith(folder) for name in names), folder
    with opened(factory.home):
        assert ask(paths=[str(path) for path in there])["did"] == []


def test_no_process_lets_a_stranger_look_inside(factory: Running) -> None:
    told = ask(pids=pids(factory))["did"]
    assert {what for what, *_ in told} == {"cmdline"}, "its command line, as of every process"
    secrets = [factory.operator_key, *factory.keys.values()]
    lines = " ".join(words for _, _, words in told)
    assert len(told) >= 4
    assert not [one for one in secrets if one.rpartition("_")[2] in lines]


def test_no_process_leaves_its_memory_behind_when_it_crashes(factory: Running) -> None:
    """A limit of one byte, or of none if so ordered: no file, and no program is fed."""
    for pid in pids(factory):
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"^Max core file size +[01] +[01] ", limits, re.MULTILINE), pid


def test_nothing_is_kept_where_others_can_read_it(factory: Running) -> None:
    """Temporary files, shared memory, abstract sockets: the processes have none."""
    ours = pids(factory)
    found = set().union(*(open_files(pid) for pid in ours))
    public = (sys.prefix, sys.base_prefix, "/usr/", "/lib", "/etc/", "/dev/null", "/dev/urandom")
    source = str(Path(__file__).parents[2])
    rest = {path for path in found if path.startswith("/") and not path.startswith(public)}
    rest = {path for path in rest if not path.startswith((source, str(factory.home)))}
    told = ask(readable=sorted(path for path in rest if not path.endswith(" (deleted)")))
    assert told["did"] == []
    inodes = {inode for path in found for inode in re.findall(r"socket:\[(\d+)\]", path)}
    unix = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    names = [row[7] for row in unix if len(row) > 7 and row[6] in inodes]
    assert names
    assert [name for name in names if not name.startswith(str(factory.home))] == []
    shared = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    assert [row for row in shared if int(row[4]) in ours or int(row[5]) in ours] == []


def test_the_port_answers_a_stranger_what_is_public_and_nothing_else(factory: Running) -> None:
    listening = set()
    inodes = {
        inode
        for pid in pids(factory)
        for path in open_files(pid)
        for inode in re.findall(r"socket:\[(\d+)\]", path)
    }
    for table in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            row = line.split()
            if row[9] in inodes and (row[3] == "0A" or not table.startswith("tcp")):
                listening.add((table, row[1]))
    assert listening == {("tcp", f"0100007F:{factory.port:04X}")}
    answers = {
        "/healthz": 200,
        "/readyz": 200,
        "/ledger/checkpoint": 200,
        "/metrics": 401,
        "/v1/models": 401,
        "/factory/v1/status": 401,
        "/factory/v1/records?tenant=demo": 401,
        "/../keys/operator": 404,
    }
    told = ask(urls=[factory.url + path for path in answers])["answers"]
    found = {url.removeprefix(factory.url): status for url, status in told.items()}
    assert found | {"/../keys/operator": 404} == answers
    assert found["/../keys/operator"] >= 400
