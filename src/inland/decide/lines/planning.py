"""Which step of a run is next. A step is known by the digest of what goes in: one that was done
before with the same is not done again, and a run goes on behind the last step that is done."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, assert_never

from inland.domain.lines import (
    Line,
    Material,
    Materials,
    RunState,
    Step,
    StepKind,
    StepState,
)

#: Steps whose outputs follow from their inputs alone. A check also asks what labels and policies
#: say today; a release and its rollout are done to the world.
REUSED = frozenset({StepKind.BASELINE, StepKind.TRAIN, StepKind.EVALUATE, StepKind.GATE})


@dataclass(frozen=True, slots=True)
class Do:
    """Do this step. `reuse`: the one that was done before with the same inputs."""

    kind: StepKind
    inputs: dict[str, Any]
    digest: str
    reuse: Step | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """There is no next step; how the run ends."""

    state: RunState
    why: str = ""


#: The step that was done before with these inputs, by their digest.
Before = Callable[[str], Step | None]


def next_move(
    line: Line, materials: Materials, steps: Mapping[StepKind, Step], before: Before
) -> Do | Over:
    """What to do about a run that has taken `steps`, of which the last may have been cut."""
    for kind in line.steps:
        step = steps.get(kind)
        state = StepState.RUNNING if step is None else step.state
        match state:
            case StepState.DONE:
                continue
            case StepState.REFUSED:
                return Over(RunState.REFUSED, "" if step is None else step.why)
            case StepState.FAILED:
                return Over(RunState.FAILED, "" if step is None else step.why)
            case StepState.RUNNING:
                inputs = inputs_of(kind, line, materials, steps)
                digest = digest_of(inputs)
                known = kind in REUSED and materials.base is not None
                return Do(kind, inputs, digest, before(digest) if known else None)
            case _:
                assert_never(state)
    return Over(RunState.DONE)


def inputs_of(
    kind: StepKind, line: Line, materials: Materials, steps: Mapping[StepKind, Step]
) -> dict[str, Any]:
    """All that a step's outputs follow from, digests where it is content.

    A model answers alike as what serves and as a candidate: what one run's evaluation found is the
    next one's baseline.
    """
    suites = dict(zip((one.name for one in line.suites), _digests(materials.suites), strict=True))
    data = {"train": _digests(materials.train), "holdout": _digests(materials.holdout)}
    method = None if line.method is None else asdict(line.method)
    match kind:
        case StepKind.CHECK:
            given: dict[str, Any] = {"base": materials.base, "suites": suites, **data}
        case StepKind.BASELINE:
            serves = None if materials.serves is None else materials.serves.digest
            return _asking(materials.base, serves, suites)
        case StepKind.TRAIN:
            start = materials.start(line.method)
            given = {"base": materials.base, "method": method, **data}
            given["start"] = None if start is None else start.digest
        case StepKind.EVALUATE:
            return _asking(materials.base, _candidate(steps), suites)
        case StepKind.GATE:
            given = {
                "gate": asdict(line.gate),
                "scores": _outputs(steps, StepKind.EVALUATE),
                "baseline": _outputs(steps, StepKind.BASELINE),
            }
        case StepKind.RELEASE:
            given = {
                "name": line.release,
                "approve": line.approve.value,
                "pace": asdict(line.pace),
                "candidate": _candidate(steps),
                "gate": _outputs(steps, StepKind.GATE),
            }
        case StepKind.ROLLOUT:
            given = {"release": _outputs(steps, StepKind.RELEASE)}
        case _:
            assert_never(kind)
    return {"step": kind.value, **given}


def digest_of(value: Any) -> str:
    """SHA-256, in hex, of `text_of`."""
    return sha256(text_of(value).encode()).hexdigest()


def text_of(value: Any) -> str:
    """JSON in the one way that steps are known by."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _digests(materials: tuple[Material, ...]) -> list[str]:
    return [one.digest for one in materials]


def _asking(base: str | None, candidate: str | None, suites: Mapping[str, str]) -> dict[str, Any]:
    """What the scores of a model follow from. `candidate`: its adapter's digest; None: the base."""
    return {"step": "ask", "base": base, "candidate": candidate, "suites": suites}


def _candidate(steps: Mapping[StepKind, Step]) -> str | None:
    """The digest of what was trained; None where nothing is."""
    trained = steps.get(StepKind.TRAIN)
    return None if trained is None else str(trained.outputs["digest"])


def _outputs(steps: Mapping[StepKind, Step], kind: StepKind) -> str | None:
    """By what is known what an earlier step made; None where the line has no such step."""
    return None if kind not in steps else steps[kind].outputs_digest
