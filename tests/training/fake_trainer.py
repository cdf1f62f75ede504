"""A trainer that learns nothing, for tests of whoever begins one: it takes the real one's words,
says the real one's lines, and "learns" a hash of all it was given and of each step it took.

`python fake_trainer.py …` is what a cell runs; `follow` does the same within a test. It stands in
for what cannot run in `make test`, where no torch is: `environment` makes a folder that a factory
takes for the trainer's environment, whose adapters are of random weights, and load.
"""

import json
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from inland.adapters.training import command, events, installed
from inland.adapters.training.installed import InstalledTrainer
from inland.ports.trainer import (
    Checkpoint,
    Progress,
    Refused,
    Trained,
    TrainerProgram,
    TrainEvent,
    TrainOrder,
)

#: Steps of an epoch.
STEPS = 4
REFUSED_WORD = b"refuse-this"
#: Who trains on it waits behind the first checkpoint to be killed; who goes on from one does not.
WAITS_WORD = b"wait-here"
ROOT = Path(__file__).parents[2]


class FakeTrainer(InstalledTrainer):
    """As it is installed. `there`: whether it is."""

    there = True

    def program(self) -> TrainerProgram | None:
        package = str(Path(events.__file__).parents[2])
        words = (sys.executable, "-P", __file__)
        return TrainerProgram(words, (package, __file__)) if self.there else None

    def remedy(self) -> str:
        return "make one"


def environment(folder: Path) -> Path:
    """A Python environment, as `INLAND_TRAINER` names one, that this is the trainer of; nothing
    else of the tests can be seen in a cell."""
    for file in ("tests/lora.py", "tests/training"):
        there, here = ROOT / file, folder / file
        here.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if there.is_dir() else shutil.copy)(there, here)
    python = folder / "bin" / "python"
    python.parent.mkdir()
    found, runs = shlex.quote(str(folder)), shlex.quote(sys.executable)
    module = "tests.training.fake_trainer"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={found} exec {runs} -P -m {module} "$@"\n')
    python.chmod(0o755)
    return folder


def main(argv: list[str]) -> None:
    """With a Python's own words before it, as a trainer that is installed."""
    before = ["-P", "-m", command.MODULE]
    if argv[: len(before)] != before:
        follow(argv, _print)
    elif (words := argv[len(before) :]) == [command.ACCOUNT]:
        print(installed.account([]))
    else:
        follow(words, _print, random_lora)


def _print(event: TrainEvent) -> None:
    print(events.line(event), flush=True)


def no_lora(learned: str) -> bytes:
    """Bytes that tell what was learned, and that no engine loads."""
    return f"gguf {learned}".encode() * 9


def random_lora(learned: str) -> bytes:
    """An adapter for the embedded model, by what was learned. Loads NumPy, which takes its time."""
    from tests.lora import adapter

    with tempfile.TemporaryDirectory() as folder:
        return adapter(Path(folder) / "adapter.gguf", int(learned[:8], 16)).read_bytes()


def follow(
    argv: Sequence[str],
    say: Callable[[TrainEvent], object],
    lora: Callable[[str], bytes] = no_lora,
) -> None:
    """Do as it is told, telling of it. `lora`: the adapter that something learned is."""
    order, places = command.parsed(argv)
    started = () if order.start_adapter is None else (order.start_adapter,)
    files = (order.base, *started, *order.data, *order.rehearsal)
    given = [Path(path).read_bytes() for path in files]
    if any(REFUSED_WORD in data for data in given):
        say(Refused("data: has a word that is refused"))
        return
    method, digest = order.method, _digest(order, given)
    state = {"order": digest, "step": 0, "learned": digest}
    if order.checkpoint is not None:
        state = json.loads(Path(order.checkpoint).read_bytes())
        if state["order"] != digest:
            say(Refused("checkpoint: is of another order: begin without it"))
            return
    planned, between = STEPS * method.epochs, method.checkpoint_steps
    while (step := int(state["step"]) + 1) <= planned:
        learned = sha256(f"{state['learned']} {step}".encode()).hexdigest()
        state = {**state, "step": step, "learned": learned}
        say(Progress(step, planned, 1 / step, 1.0 / step, 300.0, float(planned - step)))
        if step % between == 0:
            data = json.dumps(state).encode()
            place = step // between % 2
            say(Checkpoint(place, step, len(data), _write(places.checkpoints[place], data)))
            if order.checkpoint is None and any(WAITS_WORD in data for data in given):
                signal.pause()
    say(_made(state, planned, places.adapter, places.gguf, lora))


def _made(
    state: dict[str, Any], planned: int, adapter: str, gguf: str, lora: Callable[[str], bytes]
) -> Trained:
    one, two = f"safetensors {state['learned']}".encode() * 9, lora(state["learned"])
    return Trained(
        order=state["order"],
        adapter_sha256=_write(adapter, one),
        adapter_bytes=len(one),
        gguf_sha256=_write(gguf, two),
        gguf_bytes=len(two),
        steps=planned,
        planned=planned,
        loss=1 / planned,
        holdout_loss=None,
        tokens=planned * 100,
        seconds=0.5,
        parameters={"learned": "nothing"},
    )


def _digest(order: TrainOrder, given: list[bytes]) -> str:
    found = sha256(repr(order.method).encode())
    for data in given:
        found.update(sha256(data).digest())
    return found.hexdigest()


def _write(path: str, data: bytes) -> str:
    with Path(path).open("r+b") as file:
        file.write(data)
    return sha256(data).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1:])
