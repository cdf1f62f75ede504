"""What a deployment was measured to do: a ladder of points, and the step-time model fitted to them.

Values only; `decide/capacity.py` says what follows from them.
"""

from dataclasses import dataclass

from inland.domain.plant import Deployment


@dataclass(frozen=True, slots=True)
class Stream:
    """One request of a ladder as it was seen: `tokens_at` has, for each arrival, the seconds since
    its rung began and the engine's running count. The counts at its end are the engine's too."""

    tokens_at: tuple[tuple[float, int], ...]
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Point:
    """One rung of the ladder: `concurrency` requests of `prompt_tokens` each, at one replica.

    `prefill_tokens_per_s`: of all the prompts, sent at once, until each had its first token.
    `decode_tokens_per_s`: of all requests together, while all of them were answered. `step_s`: the
    median time between two tokens of one of them. `context_tokens`: what each kept meanwhile.
    """

    prompt_tokens: int
    concurrency: int
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    step_s: float
    context_tokens: float = 0.0


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

    `settings`: what it was measured of (`settings_of`); one that has others has no profile. `knee`:
    the concurrency beyond which tokens/s stop growing. `error`: the model's largest relative error
    over the points; `r2`: its coefficient of determination. `beside_tokens`: what the replica
    made for others meanwhile, which makes it look slower than it is. `refitted_unix_s`: when live
    traffic corrected the model last.
    """

    deployment: str
    measured_unix_s: int
    settings: str
    points: tuple[Point, ...]
    model: StepModel
    knee: int
    error: float
    r2: float
    beside_tokens: int = 0
    refitted_unix_s: int | None = None


def settings_of(deployment: Deployment, digest: str | None) -> str:
    """What a profile is about. `digest`: the model's, where it is known."""
    return (
        f"{deployment.engine} {digest or deployment.model} slots={deployment.slots}"
        f" context={deployment.context} threads={deployment.threads}"
    )
