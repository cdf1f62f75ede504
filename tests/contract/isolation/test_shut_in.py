"""A child that is shut in reads what it was given and nothing else, and reaches no one."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inland.adapters.isolation.shut_in import KERNEL, NONE, available

_CHILD = """
import json, os, socket, sys
from pathlib import Path
from inland.adapters.isolation.shut_in import shut_in
isolation, given, secret, folder, port = sys.argv[1:]
shut_in(isolation, (Path(given),), Path(folder))
def tried(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"
def connect():
    socket.create_connection(("127.0.0.1", int(port)), timeout=2)
def serve():
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(folder + "/engine.sock")
print(json.dumps({
    "given": tried(lambda: open(given).read()),
    "secret": tried(lambda: open(secret).read()),
    "overwrite": tried(lambda: open(given, "w")),
    "create": tried(lambda: open(folder + "/file", "w")),
    "list": tried(lambda: os.listdir(folder)),
    "parent": tried(lambda: open("/proc/%d/environ" % os.getppid()).read()),
    "connect": tried(connect),
    "serve": tried(serve),
}))
"""


def _child(isolation: str, folder: Path, port: int) -> dict[str, str]:
    for name in ("given", "secret"):
        (folder / name).write_text(name)
    (folder / "run").mkdir()
    argv = [sys.executable, "-c", _CHILD, isolation, str(folder / "given")]
    argv += [str(folder / "secret"), str(folder / "run"), str(port)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=True)
    told: dict[str, str] = json.loads(done.stdout)
    return told


@pytest.fixture
def listening_port() -> Iterator[int]:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        yield door.getsockname()[1]


def test_shut_in_child_has_only_what_it_was_given(tmp_path: Path, listening_port: int) -> None:
    if available() == NONE:
        pytest.skip("this kernel has no Landlock or no network namespaces")
    told = _child(KERNEL, tmp_path, listening_port)
    assert told.pop("given") == "done"
    assert told.pop("serve") == "done"
    assert set(told) == {"secret", "overwrite", "create", "list", "parent", "connect"}
    assert "done" not in told.values(), told


def test_without_isolation_the_same_child_reaches_all(tmp_path: Path, listening_port: int) -> None:
    told = _child(NONE, tmp_path, listening_port)
    assert set(told.values()) == {"done"}, told
