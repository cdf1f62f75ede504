"""What a deployment was measured to do: a ladder of points, and the step-time model fitted to them.

Values only; `decide/capacity.py` says what follows from them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """One rung of the ladder: `concurrency` requests of `prompt_tokens` each, at one replica.

    `prefill_tokens_per_s`: of one prompt read alone. `decode_tokens_per_s`: over all requests.
    `step_s`: the median time between two tokens of one of them.
    """

    prompt_tokens: int
    concurrency: int
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    step_s: float


@dataclass(frozen=True, slots=True)
class StepModel:
    """How long one step of an engine takes, in seconds, as the sum of

    `overhead_s`, the larger of `weights_s` (reading the weights once) and `sequence_s` for each
    sequence that gets a token, `prompt_s` for each prompt token read, and `context_s` for each
    token that the sequences keep in their caches.
    """

    overhead_s: float
    weights_s: float
    sequence_s: float
    prompt_s: float
    context_s: float


@dataclass(frozen=True, slots=True)
class Profile:
    """The capacity of one replica of `deployment`, as measured.

    `settings`: what it was measured of (engine, model digest, slots, context, threads); one that
    has others has no profile. `knee`: the concurrency beyond which tokens/s stop growing.
    `error`: the model's largest relative error over the points; `r2`: its coefficient of
    determination.
    """

    deployment: str
    measured_unix_s: int
    settings: str
    points: tuple[Point, ...]
    model: StepModel
    knee: int
    error: float
    r2: float
