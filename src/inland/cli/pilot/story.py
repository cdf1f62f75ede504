"""What a pilot plays, and what its rounds came to: plain values, made of what the factory says."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inland.cli.failures import Failed
from inland.domain.assets import AssetKind

#: Whose everything is.
TENANT = "pilot"
#: What is promised of the story, as fractions.
BASELINE_MOST, FIRST_LEAST, SECOND_LEAST, FORGOTTEN_MOST = 0.10, 0.85, 0.92, 0.15


@dataclass(frozen=True, slots=True)
class Round:
    """A version of the line's data, made of these files of the examples, one behind the other."""

    name: str
    what: str
    files: tuple[str, ...]


ROUNDS = (
    Round("first", "notes from the floor", ("work-orders/train.jsonl",)),
    Round(
        "second",
        "the notes, and what people corrected",
        ("work-orders/train.jsonl", "work-orders/corrections.jsonl"),
    ),
    Round("poisoned", "a saboteur's", ("work-orders/poisoned.jsonl",)),
)


@dataclass(frozen=True, slots=True)
class Given:
    """The line as its file declares it, and the examples beside it."""

    folder: Path
    text: str
    name: str
    base: str
    model: str
    data: str
    #: The suite whose score the gate asks for, and the one that it guards against forgetting.
    asked: str
    kept: str
    #: Every other asset that the line names: its kind, and its file.
    shelf: dict[str, tuple[AssetKind, Path]]

    def files(self, one: Round) -> list[Path]:
        """Those of a round's data."""
        return [self.folder / name for name in one.files]


def given(folder: Path) -> Given:
    """What lies in a folder of examples. Raises Failed where it is none."""
    file = folder / "lines" / "work-orders.toml"
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        why = f"{file} cannot be read ({error.strerror})"
        raise Failed(f"{why}: name a checkout's examples with --examples DIR") from None
    said = tomllib.loads(text)
    suites = {one["name"]: one["asset"] for one in said["suite"]}
    asked, kept = said["gate"]["score"][0]["suite"], said["gate"]["regression"][0]["suite"]
    return Given(
        folder,
        text,
        said["name"],
        said["base"],
        said["release"]["name"],
        said["data"]["train"][0],
        asked,
        kept,
        {
            said["data"]["holdout"][0]: (AssetKind.DATASET, folder / "work-orders/holdout.jsonl"),
            suites[asked]: (AssetKind.SUITE, folder / "work-orders/suite.jsonl"),
            suites[kept]: (AssetKind.SUITE, folder / "knowledge/suite.jsonl"),
        },
    )


@dataclass(frozen=True, slots=True)
class Score:
    """Of a suite: the share that was right, its interval, of how many tasks."""

    point: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Done:
    """A step: what it took, and whether it was taken over from an earlier run."""

    kind: str
    state: str
    seconds: float
    reused: bool


@dataclass(slots=True)
class Played:
    """A round that is over. `before`: what served when it began, `after`: what it made, by suite.
    `proof`: what the single-file verifier said of its release, or of that it was refused."""

    round: str
    run: str
    state: str
    why: str
    steps: list[Done]
    before: dict[str, Score]
    after: dict[str, Score]
    release: str | None = None
    proof: dict[str, Any] | None = None

    @property
    def is_released(self) -> bool:
        """Whether its users are answered by what it made."""
        return self.state == "done" and self.release is not None

    @property
    def refused_by(self) -> str:
        """The kind of the step that refused it; empty where none did."""
        return next((step.kind for step in self.steps if step.state == "refused"), "")


def played(name: str, whole: dict[str, Any]) -> Played:
    """Of a run as the factory shows it."""
    run = whole["run"]
    told = {step["kind"]: step["told"] for step in whole["steps"]}
    return Played(
        name,
        run["id"],
        run["state"],
        run["why"],
        [_done(step) for step in whole["steps"]],
        _scores(told.get("baseline", {})),
        _scores(told.get("evaluate", {})),
        told.get("release", {}).get("release"),
    )


def _done(step: dict[str, Any]) -> Done:
    seconds = round((step["ended"] or step["began"]) - step["began"], 2)
    return Done(step["kind"], step["state"], seconds, step["reused"] is not None)


def _scores(told: dict[str, Any]) -> dict[str, Score]:
    return {
        suite: Score(one["point"], one["low"], one["high"], one["count"])
        for suite, one in told.get("scores", {}).items()
    }


@dataclass(frozen=True, slots=True)
class Target:
    """Something that is promised of the story, what it came to, and whether it was kept."""

    what: str
    asked: str
    got: str
    holds: bool


@dataclass(slots=True)
class Story:
    """All rounds, in order."""

    given: Given
    rounds: list[Played] = field(default_factory=list)
    seconds: float = 0.0
    answer: dict[str, Any] = field(default_factory=dict)

    def named(self, name: str) -> Played | None:
        """The round of that name, if it was played."""
        return next((one for one in self.rounds if one.round == name), None)

    @property
    def baseline(self) -> Score | None:
        """What the base knew of the task before anything was trained."""
        first = self.named("first")
        return None if first is None else first.before.get(self.given.asked)

    def after(self, name: str, suite: str) -> Score | None:
        """What a round's model scores."""
        one = self.named(name)
        return None if one is None else one.after.get(suite)

    def targets(self) -> list[Target]:
        """What is promised of it."""
        return list(self._targets())

    def _targets(self) -> Iterator[Target]:
        yield _bound("baseline", self.baseline, BASELINE_MOST, most=True)
        for name, least in (("first", FIRST_LEAST), ("second", SECOND_LEAST)):
            one, score = self.named(name), self.after(name, self.given.asked)
            found = _bound(f"{name} release", score, least, most=False)
            is_out = one is not None and one.is_released
            got = found.got if is_out else f"{found.got}, not released"
            yield Target(found.what, found.asked, got, found.holds and is_out)
        yield self._forgotten()
        third = self.named("poisoned")
        by = "" if third is None else third.refused_by
        got = third.why if third is not None and third.why else "not refused"
        yield Target("poisoned round", "refused by the gate", got, by == "gate")
        proofs = [one.proof for one in self.rounds]
        proved = len(proofs) > 0 and all(proofs)
        asked = "each verified by the single file"
        yield Target("rounds", asked, f"{sum(map(bool, proofs))} of {len(proofs)}", proved)

    def _forgotten(self) -> Target:
        first, suite = self.named("first"), self.given.kept
        before = None if first is None else first.before.get(suite)
        after = self.after("second", suite)
        what, asked = suite, f"down by at most {FORGOTTEN_MOST * 100:.0f} points"
        if before is None or after is None:
            return Target(what, asked, "not measured", holds=False)
        got = f"{before.point * 100:.1f} % before, {after.point * 100:.1f} % after"
        holds = before.point - after.point <= FORGOTTEN_MOST + 1e-9
        return Target(what, asked, got, holds)


def _bound(what: str, score: Score | None, limit: float, *, most: bool) -> Target:
    asked = f"{'under' if most else 'over'} {limit * 100:.0f} % exact"
    if score is None:
        return Target(what, asked, "not measured", holds=False)
    holds = score.point < limit if most else score.point > limit
    return Target(what, asked, percent(score), holds)


def percent(score: Score) -> str:
    """With its interval."""
    low, high = score.low * 100, score.high * 100
    return f"{score.point * 100:.1f} % ({low:.1f} to {high:.1f}, {score.count} tasks)"
