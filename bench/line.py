"""What the loop around a training costs: `inland line run` beside a bare script.

The script (`bench.bare_training`) is transformers and PEFT alone: the same base, examples, holdout
and method, on the cores, threads and at the niceness that the line's trainer was seen to have. A
run has all of its steps; its suite asks two questions, so that what is held against the script is
the loop and not more work that was asked for. Rounds of both in turn, and of the trainer without a
factory. Prints one JSON line.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from inland.adapters.training import command
from inland.domain.lines import Method
from inland.ports.trainer import TrainOrder, TrainPlaces
from tests.factory.running import MODEL, Running, running
from tests.model import embedded_model
from tests.training.environment import ROOT, python
from tests.training.line_soak import DECLARED, TENANT, trainers

DATA = ROOT / "examples" / "work-orders"
#: Of the example line: the method that the pilot trains by, but from the base and on no more data.
METHOD = Method(rank=16, alpha=32, learning_rate=0.0012, epochs=2, batch=4, max_tokens=512)
#: Examples of the holdout: as many as the trainer measures after an epoch.
HELD = 48
LOOK_S = 2.0
TARGET = 1.10
LINE = f"""
name = "NAME"
base = "{MODEL}"

[data]
train = ["notes"]
holdout = ["held"]

[method]
rank = {METHOD.rank}
alpha = {METHOD.alpha}
learning_rate = {METHOD.learning_rate}
epochs = {METHOD.epochs}
batch = {METHOD.batch}
max_tokens = {METHOD.max_tokens}

[[suite]]
name = "sums"
asset = "sums"

[[gate.score]]
suite = "sums"
least = 0.0
"""


@dataclass
class Watch:
    """A line's trainers as they were seen: on which cores, and at which niceness."""

    factory: Running
    cores: set[int] = field(default_factory=set)
    nice: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until it is over. A look costs a few ms: the trainer has the cores."""
        control = self.factory.pid("control")
        while not self.over.wait(LOOK_S):
            for pid in trainers(control):
                with suppress(OSError):
                    self.cores = os.sched_getaffinity(pid)
                    self.nice = os.getpriority(os.PRIO_PROCESS, pid)


def staged(factory: Running, folder: Path, examples: int) -> tuple[Running, Path, Path]:
    """The tenant's assets, as an admin of it; the files of examples and of the holdout."""
    factory.key(TENANT, "--role", "tenant-admin")
    admin = factory.as_tenant(TENANT)
    question = json.dumps({"input": "2 + 2", "reference": "4", "max_tokens": 4}) + "\n"
    files = []
    for name, lines in (
        ("notes", (DATA / "train.jsonl").read_text().splitlines(keepends=True)[:examples]),
        ("held", (DATA / "holdout.jsonl").read_text().splitlines(keepends=True)[:HELD]),
        ("sums", [question] * 2),
    ):
        files.append(folder / f"{name}.jsonl")
        files[-1].write_text("".join(lines))
        kind = "suite" if name == "sums" else "dataset"
        admin.run("asset", "add", str(files[-1]), "--name", name, "--kind", kind)
    return admin, files[0], files[1]


def line_run(admin: Running, folder: Path, name: str) -> dict[str, Any]:
    """A line's run from its command to its end: seconds of all, and of each step."""
    file = folder / "line.toml"
    file.write_text(LINE.replace("NAME", name))
    admin.run("line", "add", str(file))
    argv = [str(ROOT / ".venv" / "bin" / "inland"), "line", "run", name, "--json"]
    began = time.monotonic()
    done = subprocess.run(
        [*argv, "--home", str(admin.home)],
        env=os.environ | admin.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.monotonic() - began
    if done.returncode != 0:
        raise SystemExit(f"the line did not go to its end: {done.stdout}{done.stderr}")
    steps = admin.json("run", "show", json.loads(done.stdout)["id"])["steps"]
    parts = {one["kind"]: round(one["ended"] - one["began"], 2) for one in steps}
    (told,) = [one["told"] for one in steps if one["kind"] == "train"]
    return {"s": took, "steps": parts, "holdout": told["holdout_loss"]}


def timed(argv: Sequence[str], seen: Watch) -> tuple[float, str]:
    """Seconds of a program where the line's trainer was, and what it said."""
    place = ["taskset", "-c", ",".join(map(str, sorted(seen.cores))), "nice", "-n", str(seen.nice)]
    began = time.monotonic()
    done = subprocess.run([*place, *argv], capture_output=True, text=True, check=False, cwd=ROOT)
    took = time.monotonic() - began
    if done.returncode != 0:
        raise SystemExit(f"{argv[1:3]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return took, done.stdout.splitlines()[-1]


def bare(notes: Path, held: Path, seen: Watch) -> dict[str, Any]:
    """The script, whole: Python's start and reading the base too, as the line's are counted."""
    given = {
        "base": str(embedded_model()),
        "data": str(notes),
        "holdout": str(held),
        "threads": len(seen.cores),
        **asdict(METHOD),
    }
    argv = [str(python()), "-m", "bench.bare_training", json.dumps(given)]
    took, said = timed(argv, seen)
    told = json.loads(said)
    return {"s": took, "train_s": told["train_s"], "holdout": told["holdout"][-1]}


def alone(notes: Path, held: Path, folder: Path, seen: Watch) -> dict[str, Any]:
    """Our trainer without a factory: an open folder, and nobody who keeps its checkpoints."""
    order = TrainOrder(
        str(embedded_model()), (str(notes),), (str(held),), METHOD, len(seen.cores), None, (), None
    )
    names = ("one", "two", "adapter", "gguf")
    one, two, adapter, gguf = (str(folder / f"alone-{name}") for name in names)
    places = TrainPlaces((one, two), adapter, gguf)
    took, _ = timed([str(python()), "-m", command.MODULE, *command.words(order, places)], seen)
    return {"s": took}


def measure(rounds: int, examples: int) -> dict[str, Any]:
    """The line."""
    python()  # where the trainer is not there yet
    told: dict[str, list[dict[str, Any]]] = {"line": [], "bare": [], "alone": []}
    with (
        tempfile.TemporaryDirectory(prefix="inl-") as place,
        running(Path(place) / "home", more=DECLARED) as factory,
    ):
        folder = Path(place)
        admin, notes, held = staged(factory, folder, examples)
        seen = Watch(factory)
        for number in range(rounds):
            watching = threading.Thread(target=seen.run)
            watching.start()
            told["line"].append(line_run(admin, folder, f"line-{number}"))
            seen.over.set()
            watching.join()
            seen.over.clear()
            told["bare"].append(bare(notes, held, seen))
            told["alone"].append(alone(notes, held, folder, seen))
    took = {name: [one["s"] for one in some] for name, some in told.items()}
    ratios = [line / script for line, script in zip(took["line"], took["bare"], strict=True)]
    return {
        "bench": "line",
        "examples": examples,
        "method": asdict(METHOD),
        "cores": sorted(seen.cores),
        "nice": seen.nice,
        "line_s": [round(one, 1) for one in took["line"]],
        "bare_s": [round(one, 1) for one in took["bare"]],
        "trainer_alone_s": [round(one, 1) for one in took["alone"]],
        "steps_s": [one["steps"] for one in told["line"]],
        "bare_train_s": [one["train_s"] for one in told["bare"]],
        "holdout_loss": {n: [one["holdout"] for one in told[n]] for n in ("line", "bare")},
        "ratios": [round(one, 3) for one in ratios],
        "ratio": round(statistics.median(ratios), 3),
        "target": TARGET,
    }


def main() -> None:
    """Print the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--examples", type=int, default=180)
    given = parser.parse_args()
    print(json.dumps(measure(given.rounds, given.examples)))


if __name__ == "__main__":
    main()
