"""The trainer's figures: what holds on a tiny model, and what the shipped data comes to.

`python -m tests.training.soak story` prints baseline, first and second round, what a poisoned third
one comes to, general knowledge, and seconds: on the embedded model, on as many threads as are free.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inland.adapters.training import command, events
from inland.decide.evaluation.suite import tasks
from inland.domain.lines import Method
from inland.ports.trainer import Trained, TrainOrder, TrainPlaces
from tests.model import embedded_model
from tests.training.engine import Engine
from tests.training.environment import ROOT, python

#: The largest difference between the logarithms of likelihoods that llama.cpp, which keeps what it
#: attends to in halves, and transformers may have; the adapter itself changes them a hundredfold.
EQUAL = 0.02
EXAMPLES = ROOT / "examples"
METHOD = Method(
    rank=16, alpha=32, learning_rate=1.5e-3, epochs=2, batch=4, max_tokens=512, packing=True
)


def promises(seed: int) -> int:
    """What `checks.py` tried, held to what is promised; one JSON line."""
    del seed  # the tiny model has one of its own
    with tempfile.TemporaryDirectory() as folder:
        argv = [str(python()), "-m", "tests.training.checks", folder]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return 1
    told = json.loads(done.stdout.splitlines()[-1])
    broken = [name for name, held in _held(told).items() if not held]
    equal = {name: round(value, 5) for name, value in told["equal"].items()}
    line = {"soak": "trainer", "holds": not broken, "broken": broken, "log_likelihoods": equal}
    print(json.dumps(line))
    return int(bool(broken))


def _held(told: dict[str, Any]) -> dict[str, bool]:
    learned, again = told["learned"], told["continued"]
    pairs = zip(learned["losses"], learned["loose"], strict=True)
    answer = "an answer<|im_end|>"
    return {
        "the same order gives the same bytes": told["repeated"]["same"],
        "another seed gives others": not told["repeated"]["other"],
        "a kill changes no byte": all(
            digests == told["killed"]["unbroken"] for _, *digests in told["killed"]["resumed"]
        ),
        "and what was done is not done again": [one[0] for one in told["killed"]["resumed"]]
        == [3, 5, 7],
        "it learns": learned["losses"][-1] < learned["losses"][0] / 3,
        "packing changes no loss": all(abs(a - b) < 0.05 * (a + 0.1) for a, b in pairs),
        "nor does checkpointing of gradients": learned["checkpointing"] == learned["losses"],
        "answers alone are learned": told["answers_alone"]["learned"] == [answer, answer],
        "it stops early": told["stopped_early"]["steps"] < told["stopped_early"]["planned"],
        "a second order goes on": again["second"][0] < again["first"][-1] * 1.2,
        "from either form of what it goes on from": again["second"] == again["same"],
        "an adapter of another shape is refused": again["rank"].startswith("start_adapter: "),
        "a checkpoint of another order is": "of another order" in again["order"],
        "and what is none": "no checkpoint" in again["none"],
        "long lines are refused": told["refusals"]["long"].startswith("long.jsonl:2: messages: "),
        "control tokens are": told["refusals"]["token"].startswith("token.jsonl:1: messages[0]"),
        "a base without a template is": "no chat template" in told["refusals"]["template"],
        "a torn base is": told["refusals"]["torn"].startswith("base: cannot be read"),
        "llama.cpp says the same": told["equal"]["off"] < EQUAL < told["equal"]["changed"] / 100,
    }


@dataclass
class Story:
    """Rounds of training on the shipped data, in `folder`."""

    folder: Path
    weights: Path
    threads: int
    seconds: dict[str, float] = field(default_factory=dict)

    def train(self, name: str, start: str | None = None) -> Path:
        """The folder with the adapter of this round."""
        at = self.folder / name
        at.mkdir()
        order = TrainOrder(
            base=str(self.weights),
            data=(str(EXAMPLES / "work-orders" / f"{name}.jsonl"),),
            holdout=(),
            method=METHOD,
            threads=self.threads,
            start_adapter=start,
            rehearsal=(str(EXAMPLES / "knowledge" / "rehearsal.jsonl"),),
        )
        places = TrainPlaces((str(at / "0"), str(at / "1")), str(at / "adapter"), str(at / "gguf"))
        argv = [str(python()), "-m", command.MODULE, *command.words(order, places)]
        done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        ended = events.event(done.stdout.splitlines()[-1])
        assert isinstance(ended, Trained)
        self.seconds[name] = ended.seconds
        return at

    def score(self, suite: str, adapter: Path | None) -> float:
        """The share of the suite that is answered right."""
        begun = time.monotonic()
        asked = tasks(suite, (EXAMPLES / suite / "suite.jsonl").read_bytes())
        had = Engine(self.weights, adapter, self.threads).scores(asked)
        named = f"{suite} of {adapter.parent.name if adapter else 'the base'}"
        self.seconds[named] = round(time.monotonic() - begun, 1)
        return round(sum(had) / len(had), 4)


def story(seed: int) -> int:
    """Three rounds and what they come to; one JSON line."""
    del seed  # the data and the method have theirs
    weights = embedded_model()
    with tempfile.TemporaryDirectory() as folder:
        told = Story(Path(folder), weights, len(os.sched_getaffinity(0)))
        first = told.train("train")
        second = told.train("corrections", str(first / "adapter"))
        poisoned = told.train("poisoned", str(second / "adapter"))
        figures = {
            "baseline": told.score("work-orders", None),
            "first": told.score("work-orders", first / "gguf"),
            "second": told.score("work-orders", second / "gguf"),
            "poisoned": told.score("work-orders", poisoned / "gguf"),
            "knowledge_before": told.score("knowledge", None),
            "knowledge_after": told.score("knowledge", second / "gguf"),
        }
    down = figures["knowledge_before"] - figures["knowledge_after"]
    holds = figures["baseline"] < 0.10 and figures["first"] >= 0.85 and figures["second"] >= 0.92
    holds = holds and down <= 0.15 and figures["poisoned"] < figures["second"] - 0.15
    print(json.dumps({"soak": "story", "holds": holds, **figures, "seconds": told.seconds}))
    return int(not holds)


if __name__ == "__main__":
    sys.exit({"promises": promises, "story": story}[sys.argv[1]](1))
