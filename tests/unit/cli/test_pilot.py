"""The pilot: what was done is not done again, what waits is helped on, what was promised is held to
what came of it. The factory is made up; the real one is played by `python -m tests.soak pilot`."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from inland.cli.failures import Failed
from inland.cli.pilot import playing
from inland.cli.pilot.command import summary
from inland.cli.pilot.page import page
from inland.cli.pilot.picture import picture
from inland.cli.pilot.playing import Play, demand_over
from inland.cli.pilot.story import ROUNDS, TENANT, Score, Story, given
from inland.refusals import Refused
from tests.training.environment import ROOT

GIVEN = given(ROOT / "examples")
#: By version of the data: what the made-up line comes to.
POINTS = (0.90, 0.95, 0.10)
KINDS = ("check", "baseline", "train", "evaluate", "gate", "release", "rollout")


class ToyClock:
    """Does not wait."""

    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class ToyAsking:
    """Counts who asks."""

    models: list[str] = field(default_factory=list)

    def users(self, model: str) -> None:
        self.models.append(model)


@dataclass
class ToyFactory:
    """A factory in words: each look at a run takes its next step. `ends`: how runs are to end, by
    the number of the run, where not by the points."""

    shelf: list[dict[str, Any]] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    text: str = ""
    done: dict[str, dict[str, Any]] = field(default_factory=dict)
    waits: dict[str, str] = field(default_factory=dict)
    resumed: list[str] = field(default_factory=list)
    ends: dict[int, str] = field(default_factory=dict)
    is_triggered: bool = False

    def tenants(self) -> list[dict[str, Any]]:
        return [{"id": name} for name in self.known]

    def add_tenant(self, name: str, label: dict[str, list[str]]) -> None:
        assert name not in self.known
        assert "train" in label["purposes"]
        self.known.append(name)

    def assets(self, tenant: str) -> list[dict[str, Any]]:
        assert tenant == TENANT
        return self.shelf

    def added(self, wanted: dict[str, Any], data: bytes) -> dict[str, Any]:
        versions = [one for one in self.shelf if one["name"] == wanted["name"]]
        made: dict[str, Any] = {
            "id": f"a{len(self.shelf)}",
            "name": wanted["name"],
            "state": "live",
        }
        made |= {"version": len(versions) + 1, "bytes": len(data)}
        self.shelf.append(made)
        return made

    def lines(self, tenant: str) -> list[dict[str, Any]]:
        return [{"name": GIVEN.name, "text": self.text}] if self.text else []

    def add_line(self, tenant: str, text: str) -> None:
        self.text = text

    def runs(self, tenant: str, line: str) -> list[dict[str, Any]]:
        return [one["run"] for one in reversed(self.done.values())]

    def run_line(self, tenant: str, name: str) -> dict[str, Any]:
        data = [one["id"] for one in self.shelf if one["name"] == GIVEN.data]
        run = f"r{len(self.done)}"
        view: dict[str, Any] = {"id": run, "state": "running", "why": "", "progress": None}
        whole: dict[str, Any] = {"run": view, "steps": [], "materials": {"train": [data[-1]]}}
        whole["number"] = len(data) - 1
        self.done[run] = whole
        if self.is_triggered:
            raise Refused(409, "it is under way")
        return view

    def resume_run(self, run: str) -> None:
        self.resumed.append(run)
        self.done[run]["steps"] = [s for s in self.done[run]["steps"] if s["state"] == "done"]
        self.done[run]["run"]["state"] = "running"

    def run(self, run: str) -> dict[str, Any]:
        whole = self.done[run]
        shown = {**whole, "run": dict(whole["run"]), "steps": list(whole["steps"])}
        if whole["run"]["state"] == "running" and self.waits.get(run, "live") == "live":
            self._step(run, whole)
        return shown

    def _step(self, run: str, whole: dict[str, Any]) -> None:
        number = whole["number"]
        kind = KINDS[sum(one["ended"] is not None for one in whole["steps"])]
        state, told = "done", dict[str, Any]()
        if kind in {"baseline", "evaluate"}:
            before = 0.0 if number == 0 else POINTS[number - 1]
            point = before if kind == "baseline" else POINTS[number]
            told = {"scores": {GIVEN.asked: _score(point), GIVEN.kept: _score(0.8)}}
        if kind == "gate" and POINTS[number] < 0.5:
            state = "refused"
        if kind == "train" and self.ends.pop(number, ""):
            state = "failed"
        if kind == "release":
            told = {"release": run}
            if self.waits.setdefault(run, "proposed") != "live":
                whole["steps"].append(_step(kind, "running", {}, None))
                return
        whole["steps"] = [one for one in whole["steps"] if one["kind"] != kind]
        whole["steps"].append(_step(kind, state, told, 2.0))
        if state != "done" or kind == KINDS[-1]:
            whole["run"] |= {"state": state, "why": "" if state == "done" else f"{kind} says no"}

    def releases(self, tenant: str) -> list[dict[str, Any]]:
        return [
            {"id": run, "state": state, "percent": 20, "evidence": {"run": run}}
            for run, state in self.waits.items()
        ]

    def approve_release(self, release: str) -> dict[str, Any]:
        assert self.waits[release] == "proposed"
        self.waits[release] = "rolling-out"
        return {"approved_by": "op"}


def _score(point: float) -> dict[str, Any]:
    return {"point": point, "low": point - 0.01, "high": point + 0.01, "count": 100}


def _step(kind: str, state: str, told: dict[str, Any], ended: float | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "state": state,
        "why": "" if state == "done" else f"{kind} says no",
        "told": told,
        "reused": None,
        "began": 1.0,
        "ended": ended,
    }


@pytest.fixture
def factory(monkeypatch: pytest.MonkeyPatch) -> ToyFactory:
    def uploaded(factory, path, wanted):
        return factory.added(wanted, path.read_bytes())

    monkeypatch.setattr(playing, "uploaded", uploaded)
    return ToyFactory()


def play(factory: ToyFactory) -> tuple[Story, list[str]]:
    """All rounds, as the command plays them; what was said."""
    said: list[str] = []
    asking = ToyAsking()
    clock: Any = ToyClock()

    def users(model: str) -> None:
        asking.models.append(model)
        for run, state in factory.waits.items():
            if state == "rolling-out":
                factory.waits[run] = "live"

    asking.users = users  # type: ignore[method-assign]
    stands_in: Any = (factory, GIVEN, asking, said.append, lambda *_: None, clock)
    made = Play(*stands_in)
    made.prepare()
    story = Story(GIVEN)
    for number, one in enumerate(ROUNDS):
        story.rounds.append(made.play(number, one))
        demand_over(story.rounds[-1])
    assert set(asking.models) <= {GIVEN.model}
    return story, said


def test_it_plays_every_round_and_a_second_time_none(factory: ToyFactory):
    story, said = play(factory)
    assert [one.state for one in story.rounds] == ["done", "done", "refused"]
    assert [one.release for one in story.rounds] == ["r0", "r1", None]
    assert story.rounds[2].refused_by == "gate"
    assert any("approved by op" in line for line in said)
    data = [one["bytes"] for one in factory.shelf if one["name"] == GIVEN.data]
    assert data[1] > data[0] > 0
    again, more = play(factory)
    assert len(factory.done) == 3
    assert len(factory.shelf) == 3 + 3
    assert again.rounds == story.rounds
    assert not any("in the vault" in line for line in more)


def test_a_run_that_its_trigger_began_is_not_begun_twice(factory: ToyFactory):
    factory.is_triggered = True
    story, _ = play(factory)
    assert [one.run for one in story.rounds] == ["r0", "r1", "r2"]


def test_one_that_failed_ends_the_pilot_and_goes_on_with_the_next(factory: ToyFactory):
    factory.ends[1] = "failed"
    with pytest.raises(Failed, match="the second round is failed: train says no"):
        play(factory)
    story, _ = play(factory)
    assert factory.resumed == ["r1"]
    assert [one.run for one in story.rounds] == ["r0", "r1", "r2"]


def proven(factory: ToyFactory) -> Story:
    story, _ = play(factory)
    for one in story.rounds:
        said = {"approved_by": "op"} if one.is_released else {"refused_by": "gate"}
        one.proof = {"receipts": 9, "statement": "5e", **said}
    story.answer = {"question": "<script>?", "answer": "<b>", "receipt": "r"}
    return story


def test_what_was_promised_is_kept_where_everything_came_so(factory: ToyFactory):
    story = proven(factory)
    assert [target.holds for target in story.targets()] == [True] * 6
    told = summary(story)
    assert (told["baseline"], told["released"], told["second"]) == (0.0, 0.90, 0.95)
    assert told["poisoned_refused"] is told["holds"] is True
    assert told["seconds"]["first.train"] == 1.0
    json.dumps(told)


def point(name, suite, value):
    def change(story: Story) -> None:
        score = Score(value, value, value, 100)
        one = story.named(name)
        assert one is not None
        at = one.before if suite == "before" else one.after
        at[GIVEN.kept if suite == GIVEN.kept else GIVEN.asked] = score

    return change


def other(name, **facts):
    def change(story: Story) -> None:
        at = next(n for n, one in enumerate(story.rounds) if one.round == name)
        story.rounds[at] = replace(story.rounds[at], **facts)

    return change


MISSED = {
    "baseline": point("first", "before", 0.10),
    "first release": point("first", GIVEN.asked, 0.85),
    "second release": point("second", GIVEN.asked, 0.92),
    GIVEN.kept: point("second", GIVEN.kept, 0.6),
    "poisoned round": other("poisoned", steps=[]),
    "rounds": other("poisoned", proof=None),
}


@pytest.mark.parametrize("what", MISSED)
def test_what_is_not_kept_is_said_alone(factory: ToyFactory, what: str):
    story = proven(factory)
    MISSED[what](story)
    assert [target.what for target in story.targets() if not target.holds] == [what]
    assert summary(story)["holds"] is False
    assert "MISSED" in picture(story)
    assert "missed" in page(story)


def test_what_was_not_released_is_no_release_however_it_scored(factory: ToyFactory):
    story = proven(factory)
    other("first", state="refused", why="no")(story)
    assert "first release" in {one.what for one in story.targets() if not one.holds}


def test_nothing_played_keeps_nothing(factory: ToyFactory):
    assert not any(target.holds for target in Story(GIVEN).targets())
    assert "MISSED" in picture(Story(GIVEN))
    assert page(Story(GIVEN))


def test_a_page_shows_what_was_said_and_runs_none_of_it(factory: ToyFactory):
    text = page(proven(factory))
    assert "<script" not in text
    assert "&lt;script&gt;?" in text
    assert "http" not in text.replace("<!doctype html>", "")


def test_a_folder_that_is_no_example_is_refused(tmp_path):
    with pytest.raises(Failed, match="--examples DIR"):
        given(tmp_path)
