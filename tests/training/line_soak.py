"""A line with a `[method]` on a real factory, with the real trainer and the embedded model: once as
it comes, once with control killed while it trains, once with the trainer killed. The same adapter.

`python -m tests.training.line_soak` prints one JSON line.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from inland.adapters.training.command import MODULE
from tests import memory_scan
from tests.factory.running import MODEL, Running, running
from tests.training.environment import ROOT, python

TENANT = "works"
#: Longest that a short training takes, and between two looks at it, in seconds.
TRAINED_S, LOOK_S = 1800.0, 0.5
T = TypeVar("T")
#: A tenant that lets itself be trained on.
DECLARED = f"""
[[tenant]]
name = "{TENANT}"
jurisdictions = ["WORLD"]
purposes = ["serve", "train", "evaluate"]
"""
#: A short training: three steps an epoch, a checkpoint each.
EXAMPLES, SHORT = 12, "epochs = 2\nbatch = 4\nrank = 4\nmax_tokens = 256\ncheckpoint_steps = 1\n"
LINE = f"""
name = "{{name}}"
base = "{MODEL}"

[data]
train = ["notes"]
holdout = ["held"]

[method]
{SHORT}
[[suite]]
name = "sums"
asset = "sums"

[[gate.score]]
suite = "sums"
least = 0.0
"""


def _awaited(found: Callable[[], T | None]) -> T:
    """What is found once it is there: training takes its time where much else is done."""
    end = time.monotonic() + TRAINED_S
    while not (there := found()):
        assert time.monotonic() < end, "it never came to that"
        time.sleep(LOOK_S)
    return there


def _stage(factory: Running, folder: Path) -> Running:
    """The tenant's assets; as an admin of it."""
    factory.key(TENANT, "--role", "tenant-admin")
    admin = factory.as_tenant(TENANT)
    notes = (ROOT / "examples" / "work-orders" / "train.jsonl").read_text().splitlines(True)
    held = (ROOT / "examples" / "work-orders" / "holdout.jsonl").read_text().splitlines(True)
    tasks = [json.dumps({"input": "2 + 2", "reference": "4", "max_tokens": 4}) + "\n"]
    for name, lines in (("notes", notes[:EXAMPLES]), ("held", held[:4]), ("sums", tasks * 2)):
        file = folder / f"{name}.jsonl"
        file.write_text("".join(lines))
        kind = "suite" if name == "sums" else "dataset"
        admin.run("asset", "add", str(file), "--name", name, "--kind", kind)
    return admin


def _begun(admin: Running, folder: Path, name: str) -> str:
    file = folder / "line.toml"
    file.write_text(LINE.format(name=name))
    admin.run("line", "add", str(file))
    return str(admin.json("line", "run", name, "--detach")["id"])


def _train_step(admin: Running, run: str) -> dict[str, Any]:
    """Once it is over."""

    def found() -> dict[str, Any] | None:
        told = admin.json("run", "show", run)
        over = [one for one in told["steps"] if one["kind"] == "train" and one["ended"]]
        assert over or told["run"]["state"] == "running", told["run"]["why"]
        return over[0] if over else None

    step = _awaited(found)
    assert step["state"] == "done", step["why"]
    return step


def _logs(admin: Running, run: str) -> str:
    return admin.run("run", "logs", run).stdout


def _is_kept(admin: Running, run: str, step: int) -> bool:
    return f"checkpoint of step {step} is kept" in _logs(admin, run)


def trainers(above: int) -> list[int]:
    """The trainers among a process and those below it."""
    found = []
    for pid in memory_scan.descendants(above):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            found += [pid] if MODULE.encode() in words else []
    return found


def measure() -> dict[str, Any]:
    """The figure."""
    python()  # where the trainer is not there yet
    with (
        tempfile.TemporaryDirectory(prefix="inl-") as folder,
        running(Path(folder) / "home", more=DECLARED) as factory,
    ):
        admin = _stage(factory, Path(folder))
        whole = _train_step(admin, _begun(admin, Path(folder), "whole"))
        cut = _begun(admin, Path(folder), "cut")
        _awaited(lambda: _is_kept(admin, cut, 2))
        factory.kill("control")
        of_control = _train_step(admin, cut)
        hit = _begun(admin, Path(folder), "hit")
        _awaited(lambda: _is_kept(admin, hit, 2))
        for pid in trainers(factory.pid("control")):
            os.kill(pid, signal.SIGKILL)
        of_trainer = _train_step(admin, hit)
        steps = {"whole": whole, "control killed": of_control, "trainer killed": of_trainer}
        return {
            "digests": {name: step["told"]["digest"] for name, step in steps.items()},
            "gone_on": ["goes on from" in _logs(admin, run) for run in (cut, hit)],
            "seconds": {
                name: round(step["ended"] - step["began"], 1) for name, step in steps.items()
            },
        }


def soak(seed: int) -> int:
    """Prints it; 1 where it does not hold."""
    del seed  # the data and the method have theirs
    told = measure()
    holds = len(set(told["digests"].values())) == 1 and all(told["gone_on"])
    print(json.dumps({"soak": "line-train", "holds": holds, **told}))
    return int(not holds)


if __name__ == "__main__":
    sys.exit(soak(1))
