"""What live traffic says of a step-time model: a little memory, the past forgotten by halves. Pure.

A gateway counts the gaps between the tokens of its streams and how many ran beside each. Of what
all of them count in a window a mean step is made and kept with others of a batch like it. As far as
these agree that the engine is slower or faster than it was measured to be, so are the ladder's
points taken to be, which keep the model's shape where traffic never was; it is fitted to both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, exp2, isfinite, log, log2

from inland.decide.capacity import step_s
from inland.decide.ladder import observations
from inland.decide.step_fitting import Observation, fit
from inland.domain.capacity import Profile, StepModel

#: A window with fewer gaps than this says nothing.
LEAST_GAPS = 50
#: A window counts half as much after so long, in seconds.
HALVES_S = 3600.0
#: What a cell of windows weighs in points: one for so many windows, and at most.
WINDOWS_FOR_A_POINT, MOST_POINTS = 12.0, 8.0
#: Windows with which half of what they agree on is believed of the points as well.
HALF_BELIEVED = 30.0
#: A model that says of any step this much more or less is another one; one that is so many times
#: what was measured is not believed: the deployment has to be measured again.
MOVED, BEYOND = 0.1, 2.0
#: Windows' worth of traffic without which nothing is refitted.
LEAST_WINDOWS = 6.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one gateway counted of one deployment since it began: `gaps` between tokens, their sum
    `gap_s`, and `beside`, the sequences that ran at each, added up; then tokens and requests."""

    gaps: float = 0.0
    gap_s: float = 0.0
    beside: float = 0.0
    prompt_tokens: float = 0.0
    cached_tokens: float = 0.0
    completion_tokens: float = 0.0
    requests: float = 0.0


@dataclass(frozen=True, slots=True)
class Cell:
    """Windows of about one batch: their decayed number as of `at_s`, and what they saw on
    average."""

    windows: float
    at_s: float
    seen: Observation


#: By batch, two cells for each doubling.
Cells = Mapping[int, Cell]


def since(before: Traffic, after: Traffic) -> Traffic:
    """What was counted between."""
    return Traffic(
        gaps=after.gaps - before.gaps,
        gap_s=after.gap_s - before.gap_s,
        beside=after.beside - before.beside,
        prompt_tokens=after.prompt_tokens - before.prompt_tokens,
        cached_tokens=after.cached_tokens - before.cached_tokens,
        completion_tokens=after.completion_tokens - before.completion_tokens,
        requests=after.requests - before.requests,
    )


def window(counted: Sequence[Traffic], lasted_s: float, replicas: int) -> Observation | None:
    """The mean step of one replica in a window, from what each gateway counted in it; None where
    that says nothing. Replicas are taken to share the work evenly.

    A token of one gateway ran beside that gateway's own sequences and, on average, the others'.
    """
    gaps = sum(one.gaps for one in counted)
    sound = all(isfinite(part) and part >= 0 for one in counted for part in _parts(one))
    if not sound or gaps < LEAST_GAPS or lasted_s <= 0:
        return None
    gap_s = sum(one.gap_s for one in counted)
    elsewhere = sum(one.gaps * (gap_s - one.gap_s) / lasted_s for one in counted)
    batch = max(1.0, (sum(one.beside for one in counted) + elsewhere) / gaps / max(replicas, 1))
    read = sum(max(one.prompt_tokens - one.cached_tokens, 0.0) for one in counted)
    requests = max(1.0, sum(one.requests for one in counted))
    prompts = sum(one.prompt_tokens for one in counted)
    each = (prompts + sum(one.completion_tokens for one in counted) / 2) / requests
    seconds = gap_s / gaps
    if seconds <= 0:
        return None
    # A prompt lengthens a gap of everybody but of who sent it.
    return Observation(batch, batch * each, read * (batch - 1) / gaps, seconds)


def _parts(one: Traffic) -> tuple[float, ...]:
    return (
        *(one.gaps, one.gap_s, one.beside, one.requests),
        *(one.prompt_tokens, one.cached_tokens, one.completion_tokens),
    )


def observed(cells: Cells, seen: Observation, now_s: float) -> dict[int, Cell]:
    """The cells with one more window in them."""
    place = round(2 * log2(max(seen.batch, 1.0)))
    cell = cells.get(place)
    if cell is None:
        return {**cells, place: Cell(1.0, now_s, seen)}
    old = _left(cell, now_s)
    windows = old + 1.0

    def mixed(before: float, after: float) -> float:
        return (old * before + after) / windows

    mean = Observation(
        batch=mixed(cell.seen.batch, seen.batch),
        context=mixed(cell.seen.context, seen.context),
        prompt=mixed(cell.seen.prompt, seen.prompt),
        seconds=mixed(cell.seen.seconds, seen.seconds),
    )
    return {**cells, place: Cell(windows, now_s, mean)}


def _left(cell: Cell, now_s: float) -> float:
    """What a cell's windows count for now."""
    return cell.windows * exp2(-max(0.0, now_s - cell.at_s) / HALVES_S)


def refitted(profile: Profile, cells: Cells, now_s: float, batch: int) -> Profile | None:
    """`profile` with the model that its points and `cells` make together; None where that is about
    the one it has, where too little was seen, or where it cannot be believed.

    `batch`: the largest that runs.
    """
    left = [(cell.seen, _left(cell, now_s)) for cell in cells.values()]
    windows = sum(count for _, count in left)
    if windows < LEAST_WINDOWS:
        return None
    points = observations(profile.points)
    measured = fit(points).model
    slower = exp(sum(count * _slower(measured, seen) for seen, count in left) / windows)
    slower **= windows / (windows + HALF_BELIEVED)
    shaped = [replace(one, seconds=one.seconds * slower) for one in points]
    live = [
        replace(seen, weight=min(count / WINDOWS_FOR_A_POINT, MOST_POINTS)) for seen, count in left
    ]
    # What windows agree on is no pause of the machine: all are weighed as they are.
    found = fit([*shaped, *live], rounds=0)
    if distance(profile.model, found.model, batch) < MOVED:
        return None
    if distance(measured, found.model, batch) > BEYOND - 1:
        return None
    return replace(profile, model=found.model, error=found.error, r2=found.r2)


def _slower(model: StepModel, seen: Observation) -> float:
    """The logarithm of how many times longer a step took than the model says."""
    return log(seen.seconds / max(step_s(model, seen.batch, seen.context, seen.prompt), 1e-9))


def distance(one: StepModel, other: StepModel, batch: int) -> float:
    """How far two models are apart where it matters: 0.1 where one is a tenth slower."""
    asked = [(1, 0), (max(batch, 1), 0), (1, 512)]
    pairs = [(step_s(one, at, 0, read), step_s(other, at, 0, read)) for at, read in asked]
    return max(max(a, b) / max(min(a, b), 1e-9) - 1 for a, b in pairs)
