"""Production lines: a declared loop from data to a served model, and the passes made of it.

A line says what; a run is one pass of it; a run is a row of steps, each known by the digests of
what went in and of what came out. Life cycles are tables.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from inland.domain.releases import AT_ONCE, Pace


class StepKind(StrEnum):
    """What one step of a run does, in the order in which a run takes them."""

    CHECK = "check"  # may all this be used so, and is it whole?
    BASELINE = "baseline"  # how what serves now does, for the gate to compare with
    TRAIN = "train"
    EVALUATE = "evaluate"  # how the candidate does
    GATE = "gate"
    RELEASE = "release"
    ROLLOUT = "rollout"


class StepState(StrEnum):
    """Where a step is. `STEP_LIFE` holds the moves allowed."""

    RUNNING = "running"  # the intent is durable; what is left of it is being done
    DONE = "done"
    REFUSED = "refused"  # it said no: by the data, a label, the gate
    FAILED = "failed"


STEP_LIFE: dict[StepState, frozenset[StepState]] = {
    StepState.RUNNING: frozenset({StepState.DONE, StepState.REFUSED, StepState.FAILED}),
    StepState.DONE: frozenset(),
    StepState.REFUSED: frozenset({StepState.RUNNING}),
    StepState.FAILED: frozenset({StepState.RUNNING}),
}


class RunState(StrEnum):
    """Where a run is. `RUN_LIFE` holds the moves allowed."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: A run that stopped short can be resumed: it goes on behind the last step that is done.
RUN_LIFE: dict[RunState, frozenset[RunState]] = {
    RunState.RUNNING: frozenset(
        {RunState.DONE, RunState.REFUSED, RunState.FAILED, RunState.CANCELLED}
    ),
    RunState.DONE: frozenset(),
    RunState.REFUSED: frozenset({RunState.RUNNING}),
    RunState.FAILED: frozenset({RunState.RUNNING}),
    RunState.CANCELLED: frozenset({RunState.RUNNING}),
}


class MethodKind(StrEnum):
    """How a model is trained."""

    LORA = "lora"
    FULL = "full"


class Start(StrEnum):
    """What training goes on from."""

    BASE = "base"
    LIVE = "live"  # the adapter that is live under the line's release, the base where none is


@dataclass(frozen=True, slots=True)
class Method:
    """How the base is trained. `max_tokens`: of one example. `rehearsal`: how many of the base's
    own answers are trained on too, against forgetting. `patience`: epochs without a better holdout
    loss before it stops, 0 for never. `seed` makes a run repeatable. `checkpoint_steps`: between
    two checkpoints. `gradient_checkpointing`: a third more work for much less memory."""

    kind: MethodKind = MethodKind.LORA
    start: Start = Start.BASE
    rank: int = 16
    alpha: int = 32
    learning_rate: float = 2e-4
    epochs: int = 2
    batch: int = 8
    max_tokens: int = 1024
    rehearsal: int = 0
    patience: int = 0
    packing: bool = True
    seed: int = 1
    checkpoint_steps: int = 20
    gradient_checkpointing: bool = False


@dataclass(frozen=True, slots=True)
class SuiteUse:
    """An evaluation suite as a line uses it. `asset`: as `Line.train`."""

    name: str
    asset: str


@dataclass(frozen=True, slots=True)
class Floor:
    """What a suite's score must reach, as a fraction, by its interval's lower bound."""

    suite: str
    least: float


@dataclass(frozen=True, slots=True)
class Regression:
    """By how much, as a fraction, a suite's score may lie under that of what serves."""

    suite: str
    most: float


@dataclass(frozen=True, slots=True)
class Gate:
    """What a candidate must pass. `safety` is judged as `scores` are, and named apart."""

    scores: tuple[Floor, ...] = ()
    regressions: tuple[Regression, ...] = ()
    safety: tuple[Floor, ...] = ()

    @property
    def suites(self) -> tuple[str, ...]:
        """Those it asks about, each once."""
        floors = [one.suite for one in (*self.scores, *self.safety)]
        return tuple(dict.fromkeys([*floors, *(one.suite for one in self.regressions)]))


class Approval(StrEnum):
    """Who approves what a line releases."""

    PERSON = "person"  # the run waits for one
    GATE = "gate"  # a gate that passed does


class TriggerKind(StrEnum):
    """What begins a run by itself, besides a person."""

    DATA = "data"  # a new version of the line's data
    SCHEDULE = "schedule"
    FEEDBACK = "feedback"  # people have said so much since
    SCORE = "score"  # they like what is live less than they did


@dataclass(frozen=True, slots=True)
class Trigger:
    """`hours`: of a schedule, from one run's beginning to the next one's; of a score, how far back
    it looks at most. `corrections`, `thumbs`: of feedback, that begin a run; of a score, `thumbs`
    that say something. `points` (of a hundred): so far below what it had when its rollout ended,
    and `least` (a fraction): the live score that begins one where it is surely beneath."""

    kind: TriggerKind
    hours: int | None = None
    corrections: int | None = None
    thumbs: int | None = None
    points: int | None = None
    least: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A production loop as it is declared.

    `base`: the deployment whose model it begins from. `train`, `holdout`: assets of its tenant, by
    name (the newest version of it) or as `asset:ID`. Without a `method` nothing is trained: the
    base itself is evaluated, and held to the gate. `release`: the model name that users call;
    without a `rollout` all of them at once. `once`: it has one run, with which it is forgotten in
    time. `metadata`: what its tenant wants to find in it; nothing here reads that.
    """

    name: str
    base: str
    suites: tuple[SuiteUse, ...]
    gate: Gate
    train: tuple[str, ...] = ()
    holdout: tuple[str, ...] = ()
    method: Method | None = None
    release: str | None = None
    rollout: Pace | None = None
    triggers: tuple[Trigger, ...] = ()
    approve: Approval = Approval.PERSON
    once: bool = False
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def steps(self) -> tuple[StepKind, ...]:
        """The steps that a run of it has, in order."""
        if self.method is None:
            return (StepKind.CHECK, StepKind.EVALUATE, StepKind.GATE)
        left = set() if self.release else {StepKind.RELEASE, StepKind.ROLLOUT}
        return tuple(kind for kind in StepKind if kind not in left)

    @property
    def pace(self) -> Pace:
        """How what it releases reaches users."""
        return self.rollout or AT_ONCE

    @property
    def assets(self) -> tuple[str, ...]:
        """Every asset it names, each once."""
        named = (*self.train, *self.holdout, *(suite.asset for suite in self.suites))
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True, slots=True)
class Material:
    """What an asset's name in a line stood for when a run began. `digest`: the asset's."""

    name: str
    asset: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Serves:
    """What is live under the name that a line releases when a run of it begins. `digest`: of the
    adapter as the run that trained it knew it; the asset's where no run did."""

    release: str
    adapter: str
    digest: str


@dataclass(frozen=True, slots=True)
class Materials:
    """All that a run works with. `model`: what its base serves; `base`: that model's digest, None
    where nobody here can know it. `serves`: what the candidate is compared with, None for the
    base."""

    model: str
    base: str | None
    train: tuple[Material, ...] = ()
    holdout: tuple[Material, ...] = ()
    suites: tuple[Material, ...] = ()  # in the line's order
    serves: Serves | None = None

    def start(self, method: Method | None) -> Serves | None:
        """What training goes on from, None for the base."""
        return self.serves if method is not None and method.start is Start.LIVE else None

    def is_compared_with(self, live: str | None) -> bool:
        """Whether the candidate is compared with the release that is live; None: nothing is."""
        return live == (None if self.serves is None else self.serves.release)


@dataclass(frozen=True, slots=True)
class KeptLine:
    """A line as it is kept. `text`: the file as it was given. `key`: the id of the API key that its
    runs act with, empty before the first."""

    tenant: str
    line: Line
    text: str
    added_unix_s: int
    paused: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A step that was begun. `inputs`, `outputs`: plain JSON, known by their digests (hex);
    `reused`: the run that did the same before, whose outputs these are. `receipts`: of the requests
    it made."""

    run: str
    kind: StepKind
    state: StepState
    inputs: dict[str, Any]
    inputs_digest: str
    began_unix_us: int
    outputs: dict[str, Any] = field(default_factory=dict)
    outputs_digest: str = ""
    receipts: tuple[str, ...] = ()
    reused: str = ""
    why: str = ""
    ended_unix_us: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One pass of a line. `id`: of the record that it begins with. `by`: the key, or the trigger,
    that began it. `text`: the line's file as it was then, so that no change of a line reaches into
    a run of it. `why`: it ended so, or what it waits for."""

    id: str
    tenant: str
    line: str
    by: str
    state: RunState
    began_unix_us: int
    text: str
    materials: Materials
    why: str = ""
    ended_unix_us: int | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """Something that happened in a run, in words; never of what its assets hold."""

    number: int
    unix_us: int
    step: str
    text: str
