"""Plays the story against a factory, by its API and its gateway: what is there already is not done
again, so that a pilot that was cut goes on."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inland.adapters.files.clock import SystemClock
from inland.cli.asset_content import uploaded
from inland.cli.failures import Failed
from inland.cli.pilot.asking import Asking
from inland.cli.pilot.story import TENANT, Given, Played, Round, played
from inland.domain.assets import AssetKind
from inland.domain.errors import Busy

if TYPE_CHECKING:
    from inland.client import FactoryClient

#: Pause between two looks at a run, in seconds, and how long a run is looked for that a trigger
#: began meanwhile.
LOOK_S, FIND_S = 0.5, 30.0
#: Control may be away for so long in the middle of it, in seconds: it is started again by itself.
AWAY_S = 60.0
#: Told done, of how many, and what.
Progress = Callable[[int, int, str], None]
#: Told something that has happened.
Say = Callable[[str], None]


@dataclass(slots=True)
class Play:
    """A pilot under way."""

    factory: "FactoryClient"
    given: Given
    asking: Asking
    say: Say
    progress: Progress
    clock: SystemClock = field(default_factory=SystemClock)
    said: set[tuple[str, str]] = field(default_factory=set)

    def prepare(self) -> None:
        """The tenant, its data and its line, where they are not there yet."""
        if TENANT not in {one["id"] for one in self.factory.tenants()}:
            self.factory.add_tenant(TENANT, {"purposes": ["serve", "train", "evaluate"]})
            self.say(f"tenant {TENANT} added")
        for name, (kind, file) in self.given.shelf.items():
            if not self._versions(name):
                self._add(name, kind, [file])
        if not self._versions(self.given.data):
            self._add_round(0)
        lines = {one["name"]: one["text"] for one in self.factory.lines(TENANT)}
        if lines.get(self.given.name) != self.given.text:
            self.factory.add_line(TENANT, self.given.text)
            self.say(f"line {self.given.name} declared")

    def play(self, number: int, one: Round) -> Played:
        """A round, from its data to what became of it."""
        versions = self._versions(self.given.data)
        if len(versions) <= number:
            self._add_round(number)
            versions = self._versions(self.given.data)
        run = self._run_of(versions[number]) or self._begun(versions[number])
        if _is_to_go_on(run):
            self.say(f"run {run['run']['id']} goes on behind its last finished step")
            self.factory.resume_run(run["run"]["id"])
        whole = self._followed(one.name, run["run"]["id"])
        return played(one.name, whole)

    # -- data

    def _add_round(self, number: int) -> None:
        from inland.cli.pilot.story import ROUNDS

        self._add(self.given.data, AssetKind.DATASET, self.given.files(ROUNDS[number]))

    def _add(self, name: str, kind: AssetKind, files: list[Path]) -> None:
        """A file as an asset, or several one behind the other: they are made up, and no secret."""
        wanted: dict[str, Any] = {"tenant": TENANT, "kind": kind.value, "name": name}
        wanted |= {"title": "", "run": "", "parents": [], "label": {}}
        with tempfile.TemporaryDirectory(prefix="inland-pilot-") as folder:
            path = files[0]
            if len(files) > 1:
                path = Path(folder) / f"{name}.jsonl"
                path.write_bytes(b"".join(one.read_bytes() for one in files))
            told = uploaded(self.factory, path, wanted)
        self.say(f"{name}: version {told['version']}, {told['bytes']} bytes, in the vault")

    def _versions(self, name: str) -> list[str]:
        """The tenant's assets of that name, the oldest first."""
        found = [one for one in self.factory.assets(TENANT) if one["name"] == name]
        live = [one for one in found if one["state"] == "live"]
        return [one["id"] for one in sorted(live, key=lambda one: one["version"])]

    # -- runs

    def _run_of(self, asset: str) -> dict[str, Any] | None:
        """The newest run that was trained on that."""
        for one in self.factory.runs(TENANT, self.given.name):
            whole = self.factory.run(one["id"])
            if whole["materials"]["train"] == [asset]:
                return whole
        return None

    def _begun(self, asset: str) -> dict[str, Any]:
        """A run over the newest data: this begins it, or its trigger did."""
        from inland.refusals import Refused

        until = self.clock.monotonic() + FIND_S
        while True:
            try:
                return self.factory.run(self.factory.run_line(TENANT, self.given.name)["id"])
            except Refused as refused:
                if refused.status != 409 or self.clock.monotonic() > until:
                    raise
            self.clock.sleep(LOOK_S)
            if found := self._run_of(asset):
                return found

    def _followed(self, name: str, run: str) -> dict[str, Any]:
        """The run once it is over, helped on where it waits for a person or for users."""
        away_s: float | None = None
        while True:
            try:
                whole = self.factory.run(run)
                self._tell(name, whole)
                if whole["run"]["state"] != "running":
                    return whole
                self._help_on(run, whole)
                away_s = None
            except Busy:
                away_s = self.clock.monotonic() if away_s is None else away_s
                if self.clock.monotonic() - away_s > AWAY_S:
                    raise
            self.clock.sleep(LOOK_S)

    def _tell(self, name: str, whole: dict[str, Any]) -> None:
        for step in whole["steps"]:
            key = (whole["run"]["id"], step["kind"])
            if step["ended"] is None or key in self.said:
                continue
            self.said.add(key)
            seconds, scores = step["ended"] - step["began"], step["told"].get("scores", {})
            told = ", ".join(f"{suite} {one['point'] * 100:.1f} %" for suite, one in scores.items())
            told = "as before" if step["reused"] else told
            state = "" if step["state"] == "done" else f"{step['state']}: {step['why']}"
            more = " ".join(part for part in (told, state) if part)
            self.say(f"{name:<9}{step['kind']:<9}{seconds:7.1f} s  {more}")
        far = whole["run"]["progress"]
        if far is not None:
            self.progress(far["done"], far["total"], f"{name}: {far['step']} {far['what']}")

    def _help_on(self, run: str, whole: dict[str, Any]) -> None:
        """Approve what waits for a person, and be the users of what is rolled out."""
        if not any(step["kind"] in {"release", "rollout"} for step in whole["steps"]):
            return
        for one in self.factory.releases(TENANT):
            if one["id"] != run and one["evidence"]["run"] != run:
                continue
            if one["state"] == "proposed":
                approved = self.factory.approve_release(one["id"])
                self.say(f"release {one['id']} approved by {approved['approved_by']}")
            elif one["state"] == "rolling-out":
                self.progress(one["percent"], 100, "rollout: its users ask")
                self.asking.users(self.given.model)


def _is_to_go_on(whole: dict[str, Any]) -> bool:
    """Whether a run stopped short of what its gate says: it failed, was cancelled, or was refused
    for something that may have been mended."""
    state = whole["run"]["state"]
    refused = [step["kind"] for step in whole["steps"] if step["state"] == "refused"]
    return state in {"failed", "cancelled"} or (state == "refused" and refused != ["gate"])


def demand_over(one: Played) -> None:
    """Raises Failed where a round came to nothing that says anything."""
    if one.state in {"failed", "cancelled"} or (
        one.state == "refused" and one.refused_by not in {"gate", "rollout"}
    ):
        remedy = "mend it and run the pilot again: it goes on from there"
        raise Failed(f"the {one.round} round is {one.state}: {one.why}; {remedy}")
