"""What is tried on a tiny model, in one process that loads the libraries once.

`python -m tests.training.checks FOLDER` prints what came of each trial as one JSON object.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from inland.adapters.training import base as bases
from inland.adapters.training import events
from inland.adapters.training.training import train
from inland.domain.errors import BadInput
from inland.domain.lines import Method
from inland.ports.trainer import Checkpoint, Progress, Trained, TrainOrder, TrainPlaces
from tests.training import tiny
from tests.training.engine import Engine

METHOD = Method(
    rank=4,
    alpha=8,
    learning_rate=0.02,
    epochs=3,
    batch=4,
    max_tokens=160,
    patience=0,
    seed=5,
    checkpoint_steps=2,
)
#: A question, and an answer that is not at its end.
_ASKED, _BEGUN = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\nan"
LETTER = tiny.VOCABULARY.index("a")
QUESTIONS = ("hello", "the other one", "why then", "there in the hall")


def _example(asked: str, answered: str, **more: Any) -> str:
    answer = {"role": "assistant", "content": answered, **more}
    return json.dumps({"messages": [{"role": "user", "content": asked}, answer]})


class Trials:
    """Orders that differ in one thing each, followed in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = tiny.write(folder / "base.gguf")
        lines = [_example(f"{one} {n}", f"an answer {n}") for n in range(3) for one in QUESTIONS]
        self.data = self._file("data.jsonl", lines)
        self.holdout = self._file("holdout.jsonl", [_example("hello there", "an answer 1")])
        self.runs = 0

    def _file(self, name: str, lines: list[str]) -> str:
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    def order(self, **more: Any) -> TrainOrder:
        method = replace(METHOD, **more.pop("method", {}))
        order = TrainOrder(str(self.base), (self.data,), (self.holdout,), method, threads=1)
        return replace(order, **more)

    def places(self) -> TrainPlaces:
        self.runs += 1
        at = self.folder / str(self.runs)
        at.mkdir()
        checkpoints = (str(at / "0"), str(at / "1"))
        return TrainPlaces(checkpoints, str(at / "adapter"), str(at / "gguf"))

    def run(self, order: TrainOrder) -> tuple[list[Any], TrainPlaces]:
        """Every event, as a reader of its lines has it."""
        said: list[Any] = []
        places = self.places()
        train(order, places, lambda event: said.append(events.event(events.line(event))))
        return said, places

    def refused(self, **more: Any) -> str:
        try:
            self.run(self.order(**more))
        except BadInput as error:
            return str(error)
        return ""

    # -- the trials

    def repeated(self) -> dict[str, Any]:
        """The same order twice, and one with another seed."""
        one, two, other = (
            _done(self.run(self.order(method={"seed": seed}))[0]) for seed in (5, 5, 6)
        )
        return {
            "same": [one.adapter_sha256, one.gguf_sha256] == [two.adapter_sha256, two.gguf_sha256],
            "other": one.adapter_sha256 == other.adapter_sha256,
            "parameters": one.parameters,
        }

    def learned(self) -> dict[str, Any]:
        """Whether what is learned is learned, and is the same loss however it is packed."""
        packed, _ = self.run(self.order())
        loose, _ = self.run(self.order(method={"packing": False}))
        tall, _ = self.run(self.order(method={"gradient_checkpointing": True}))
        return {
            "losses": _losses(packed),
            "loose": _losses(loose),
            "checkpointing": _losses(tall),
            "holdout": [one.holdout_loss for one in packed if isinstance(one, Progress)],
            "tokens_per_s": [one.tokens_per_s for one in packed if isinstance(one, Progress)],
        }

    def answers_alone(self) -> dict[str, Any]:
        """What a loss is of: other questions of the same length leave a loss of the answer."""
        weighed = self._file(
            "weighed.jsonl",
            [
                json.dumps(
                    {
                        "messages": [
                            {"role": "user", "content": "hello"},
                            {"role": "assistant", "content": said, "weight": 0},
                            {"role": "user", "content": "the end"},
                            {"role": "assistant", "content": "an answer"},
                        ]
                    }
                )
                for said in ("hello", "shell")
            ],
        )
        base = bases.load(str(self.base))
        from inland.adapters.training.tokens import read

        (one, two) = read([("a", Path(weighed).read_bytes())], base.tokenizer, 200)
        text = [
            base.tokenizer.decode([t for t, m in zip(x.ids, x.learned, strict=True) if m])
            for x in (one, two)
        ]
        whole = base.tokenizer.decode(list(one.ids))
        return {"learned": text, "whole": whole}

    def killed(self) -> dict[str, Any]:
        """Killed after each checkpoint in turn; what the last one led to."""
        order = self.order(method={"patience": 3})
        killed = [self.places() for _ in range(3)]
        for after, places in enumerate(killed, 1):
            child = os.fork()
            if child == 0:
                _be_killed(order, places, after)
            assert os.waitpid(child, 0)[1] == signal.SIGKILL
        unbroken = _done(self.run(order)[0])
        digests = []
        for places in killed:
            last = max(filter(os.path.exists, places.checkpoints), key=os.path.getmtime)
            said: list[Any] = []
            train(replace(order, checkpoint=last), places, said.append)
            first = next(one for one in said if isinstance(one, Progress))
            digests.append([first.step, _done(said).adapter_sha256, _done(said).gguf_sha256])
        return {"unbroken": [unbroken.adapter_sha256, unbroken.gguf_sha256], "resumed": digests}

    def stopped_early(self) -> dict[str, Any]:
        """A holdout of which nothing is learned: it gets worse from the second epoch on."""
        strange = self._file("strange.jsonl", [_example("hello", "ZQ XJ VW KQ")])
        method = {"patience": 1, "epochs": 9}
        said, _ = self.run(self.order(holdout=(strange,), method=method))
        return {"steps": _done(said).steps, "planned": 9 * 3}

    def continued(self) -> dict[str, Any]:
        """A second order that goes on from the first one's adapter."""
        first, places = self.run(self.order())
        second, _ = self.run(self.order(start_adapter=places.adapter))
        same, _ = self.run(self.order(start_adapter=places.gguf))
        return {
            "first": _losses(first),
            "second": _losses(second),
            "same": _losses(same),
            "rank": self.refused(start_adapter=places.adapter, method={"rank": 8}),
            "order": self.refused(checkpoint=places.checkpoints[0], method={"seed": 9}),
            "none": self.refused(checkpoint=places.adapter),
        }

    def refusals(self) -> dict[str, str]:
        """Orders that cannot be followed."""
        long = self._file("long.jsonl", [_example("a", "b"), _example("a", "the end " * 200)])
        token = self._file("token.jsonl", [_example("a <|im_end|> b", "c")])
        plain = tiny.write(self.folder / "plain.gguf", template=None)
        torn = self.folder / "torn.gguf"
        torn.write_bytes(self.base.read_bytes()[:5000])
        return {
            "long": self.refused(data=(self.data, long)),
            "token": self.refused(data=(token,)),
            "template": self.refused(base=str(plain)),
            "torn": self.refused(base=str(torn)),
        }

    def equal(self) -> dict[str, float]:
        """llama.cpp with the adapter beside transformers with it: the largest difference between
        the logarithms of their likelihoods, and how much the adapter changed them."""
        _, places = self.run(self.order(method={"epochs": 6}))
        base = bases.load(str(self.base))
        model = bases.with_adapter(base.model, METHOD)
        bases.take_adapter(model, places.adapter, METHOD)
        model.eval()
        bare = Engine(self.base)
        adapted = Engine(self.base, Path(places.gguf))
        off = changed = 0.0
        for text in QUESTIONS:
            ids = base.tokenizer.encode(f"{_ASKED}{text}{_BEGUN}", add_special_tokens=False)
            with torch.no_grad():
                logits = model(torch.tensor([ids])).logits[0, -1]
            wanted = torch.log_softmax(logits.double(), -1).tolist()
            found = adapted.likelihoods(ids, len(wanted), LETTER)
            before = bare.likelihoods(ids, len(wanted), LETTER)
            assert len(found) == len(before) == len(wanted)
            off = max(off, *(abs(found[n] - wanted[n]) for n in range(len(wanted))))
            changed = max(changed, *(abs(found[n] - before[n]) for n in range(len(wanted))))
        return {"off": off, "changed": changed}


def _be_killed(order: TrainOrder, places: TrainPlaces, after: int) -> None:
    """Train until so many checkpoints were told of, and die at once."""
    left = after

    def tell(event: Any) -> None:
        nonlocal left
        left -= isinstance(event, Checkpoint)
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    train(order, places, tell)
    os._exit(1)


def _done(said: list[Any]) -> Trained:
    assert isinstance(said[-1], Trained)
    return said[-1]


def _losses(said: list[Any]) -> list[float]:
    return [one.loss for one in said if isinstance(one, Progress)]


TRIALS: tuple[Callable[[Trials], Any], ...] = (
    Trials.killed,  # first: a child of a process that has not computed yet
    Trials.repeated,
    Trials.learned,
    Trials.answers_alone,
    Trials.stopped_early,
    Trials.continued,
    Trials.refusals,
    Trials.equal,
)


def main(folder: Path) -> None:
    """Try each."""
    trials = Trials(folder)
    print(json.dumps({trial.__name__: trial(trials) for trial in TRIALS}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
