"""A tenant whose line trains, and a model of its that serves already: on a factory whose trainer is
the one that learns nothing (`tests/training/fake_trainer.py`), for no torch is in `make test`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inland.decide.lines.rollout import point
from tests.factory.running import MODEL, Running
from tests.lora import adapter
from tests.patience import until
from tests.training.fake_trainer import WAITS_WORD

TENANT, NAME = "works", "orders"
#: Answers by which its rollout is judged: more than its users judge before, with what was asked for
#: its score, which may be counted late.
SAMPLES = 5
#: Nothing is worse than what serves, by chance or not: which adapter it is says nothing of it.
LINE = f"""
name = "{NAME}"
base = "{MODEL}"

[data]
train = ["notes"]
holdout = ["held"]

[method]
epochs = 1
checkpoint_steps = 2

[[suite]]
name = "sums"
asset = "sums"

[[gate.regression]]
suite = "sums"
most = 1.0

[release]
name = "{NAME}"
approve = "gate"

[rollout]
percents = [50, 100]
soak_s = 0
samples = {SAMPLES}
error_points = 100
ttft_percent = 1000
score_points = 100
"""


def _example(asked: str) -> str:
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": "Noted."}]
    return json.dumps({"messages": turns}) + "\n"


@dataclass
class Works:
    """The tenant, on a factory that runs. `admin`: its commands."""

    factory: Running
    folder: Path

    @property
    def admin(self) -> Running:
        return self.factory.as_tenant(TENANT)

    def stage(self) -> None:
        """Its data, its line, and what serves under the name that this releases."""
        purposes = ("--purposes", "serve,train,evaluate")
        self.factory.run("tenant", "add", TENANT, *purposes)
        self.factory.key(TENANT, "--role", "tenant-admin")
        suite = json.dumps({"input": "2 + 2", "reference": "4", "max_tokens": 2}) + "\n"
        notes = _example(f"The pump by the gate leaks: {WAITS_WORD.decode()}")
        self._add("notes", "dataset", notes)
        self._add("held", "dataset", _example("Why does no crane turn in the yard?"))
        self._add("sums", "suite", suite)
        first = adapter(self.folder / "first.gguf", 41)
        asset = self.admin.json("asset", "add", str(first), "--kind", "adapter", "--name", "first")
        named = ("--adapter", asset["id"], "--deployment", MODEL)
        self.factory.run("release", "approve", self._proposed(named))
        line = self.folder / "line.toml"
        line.write_text(LINE)
        self.admin.run("line", "add", str(line))

    def _proposed(self, named: tuple[str, ...]) -> str:
        return str(self.factory.json("release", "propose", NAME, *named)["id"])

    def _add(self, name: str, kind: str, text: str) -> None:
        file = self.folder / f"{name}.jsonl"
        file.write_text(text)
        self.admin.run("asset", "add", str(file), "--name", name, "--kind", kind)

    def begun(self) -> str:
        """The id of a run."""
        return str(self.admin.json("line", "run", NAME, "--detach")["id"])

    def run(self, run: str) -> dict[str, Any]:
        """A run, whole; asked until there is a control that answers."""
        found: list[dict[str, Any]] = []

        def answers() -> bool:
            done = self.admin.run("run", "show", run, "--json", check=False)
            found.extend([json.loads(done.stdout)] if done.returncode == 0 else [])
            return bool(found)

        until(answers, "no control answers")
        return found[-1]

    def until(self, run: str, what: str) -> None:
        """Until the run's log has that; it must not end before."""

        def logged() -> bool:
            whole = self.run(run)["run"]
            assert whole["state"] == "running", whole["why"]
            return what in self.admin.run("run", "logs", run).stdout

        until(logged, lambda: f"it never says {what!r}: {self.run(run)}")

    def ask(self, release: str) -> dict[str, Any]:
        """One answer to a user whom the release reaches first."""
        key = self.factory.keys[TENANT].split("_")[1]
        user = next(name for name in map(str, range(1000)) if point(release, key, name) < 50)
        asked = [{"role": "user", "content": "What is wrong with the pump?"}]
        with self.factory.client(TENANT) as client:
            made = client.chat.completions.with_raw_response.create(
                model=NAME, messages=asked, max_tokens=2, user=user
            )
        told = json.loads(made.text)
        assert told["model"] == NAME
        return {"receipt": made.headers["inland-receipt"], "messages": asked}

    def say(self, asked: dict[str, Any], **said: Any) -> None:
        """Of an answer, once it is on the books."""
        self.factory.booked(asked["receipt"])
        with self.factory.http(TENANT) as http:
            given = http.post("/factory/v1/feedback", json={**asked, **said})
        assert given.status_code == 200, given.text
