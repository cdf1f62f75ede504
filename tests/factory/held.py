"""A tenant's plaintext while it is held: its own weights by an engine, a training set by a job."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests import memory_scan
from tests.factory.running import COMMAND_TIMEOUT_S, Running
from tests.patience import PATIENCE_S, until

MINE = "mine"
#: Planted in the model's metadata, and many times in the training set.
IN_MODEL, IN_SET = b"canary-in-the-weights-51c7e0", b"canary-in-the-training-set-9d02"
LINES = 60_000
#: So much of it is sent in pieces that small objects hold.
_PIECES, _PIECE_BYTES = 300, 700
_ASSETS = "/factory/v1/assets"

#: A trainer: holds its training set open and in its memory, and begins another process.
TRAINER = """
import mmap, os, subprocess, sys, time
from pathlib import Path
file = open(sys.argv[1], "rb")
mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
text = file.read()
Path("/tmp/scratch").write_bytes(text)
child = subprocess.Popen(["setsid", "sleep", "1000"])
print(len(text), text == mapped[:], sorted(os.listdir("/sys/class/net")) if
    os.path.exists("/sys/class/net") else "no network", os.path.exists(sys.argv[2]), flush=True)
time.sleep(1000)
"""


def begin(factory: Running) -> None:
    """A key of an admin of acme, beside the first ones."""
    words = ("--tenant", "acme", "--role", "tenant-admin")
    factory.keys["acme-admin"] = factory.json("key", "add", *words)["key"]


def add(factory: Running, file: Path, kind: str) -> str:
    words = ("asset", "add", str(file), "--tenant", "acme", "--kind", kind, "--name", file.name)
    return str(factory.json(*words)["id"])


def served_model(factory: Running, model_file: Path, folder: Path) -> str:
    """acme's own weights, served as `mine`; the asset."""
    file = folder / "own.gguf"
    program = str(Path(sys.executable).with_name("gguf-new-metadata"))
    words = ["--general-description", IN_MODEL.decode(), str(model_file), str(file)]
    subprocess.run([program, *words], check=True, capture_output=True, timeout=PATIENCE_S)
    asset = add(factory, file, "model")
    file.unlink()
    factory.run("deploy", "add", MINE, "--model", f"asset:{asset}", "--context", "256")
    until_served(factory)
    return asset


def training_set(factory: Running) -> str:
    """Sent over the port, through a gateway, as the weights are sent past it by a command."""
    data = (IN_SET + b" " + os.urandom(64).hex().encode() + b"\n") * LINES
    octets = {"content-type": "application/octet-stream"}
    with factory.http("acme") as http:
        wanted = {"kind": "dataset", "name": "set", "bytes": len(data)}
        begun = http.post(_ASSETS, json=wanted).raise_for_status().json()
        asset, step = begun["id"], begun["part_bytes"]
        for number in range(begun["parts"]):
            part = data[number * step :][:step]
            where = f"{_ASSETS}/{asset}/parts/{number}"
            sized = octets | {"content-length": str(len(part))}
            http.put(where, content=_pieces(part), headers=sized).raise_for_status()
        http.post(f"{_ASSETS}/{asset}/finish").raise_for_status()
    return str(asset)


def _pieces(part: bytes) -> Iterator[bytes]:
    small = _PIECES * _PIECE_BYTES
    for at in range(0, min(small, len(part)), _PIECE_BYTES):
        yield part[at : min(at + _PIECE_BYTES, small)]
    yield part[small:]


def until_served(factory: Running) -> None:
    def ready() -> bool:
        return any(one["state"] == "ready" for one in deployment(factory)["replicas"])

    until(ready, "the private model is not served")


def deployment(factory: Running) -> dict[str, Any]:
    return dict(factory.json("deploy", "show", MINE))


def engine_or_none(factory: Running) -> int | None:
    found = [one for one in factory.processes("engine") if one["name"] == f"engine-{MINE}-0"]
    return found[0]["pid"] if found else None


def engine(factory: Running) -> int:
    found = engine_or_none(factory)
    assert found is not None
    return found


def job(factory: Running, *words: str) -> subprocess.CompletedProcess[str]:
    """`inland job run` for acme; the command is behind `--`."""
    inland = str(Path(sys.executable).with_name("inland"))
    argv = [inland, "job", "run", "--home", str(factory.home), "--json", "--tenant", "acme", *words]
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=COMMAND_TIMEOUT_S
    )


def begun(factory: Running, asset: str) -> dict[str, Any]:
    """A job that holds its set open and in its memory; returns once it does."""
    words = ("--detach", "--asset", asset, "--", sys.executable, "-c", TRAINER)
    done = job(factory, *words, f"asset:{asset}", str(factory.home))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["id"]
    until(lambda: factory.json("job", "show", told)["pid"], "the job does not run")
    keeper = factory.json("job", "show", told)["pid"]

    def reads() -> bool:
        below = memory_scan.descendants(keeper)
        return len(below) == 4 and bool(memory_scan.holding(IN_SET, below))

    until(reads, "it reads nothing")
    return dict(factory.json("job", "show", told))


def holding(factory: Running, *canaries: bytes) -> set[int]:
    """The factory's processes whose memory has any of them."""
    living = memory_scan.descendants(factory.pid("supervisor"))
    return {pid for canary in canaries for pid in memory_scan.holding(canary, living)}
