"""Engines as hypothesis imagines them: step-time models, and what was measured of one."""

from hypothesis import strategies as st

from inland.decide.capacity import knee, step_s
from inland.domain.capacity import Point, Profile, StepModel


def _seconds(least: float, most: float) -> st.SearchStrategy[float]:
    return st.floats(least, most, allow_subnormal=False)


#: From a rack of GPUs to a model on one busy core.
MODELS = st.builds(
    StepModel,
    overhead_s=_seconds(0, 0.02),
    weights_s=_seconds(0, 0.1),
    sequence_s=_seconds(1e-5, 0.03),
    prompt_s=_seconds(0, 0.01),
    context_s=st.one_of(st.just(0.0), _seconds(1e-9, 1e-4)),
)


def contexts() -> st.SearchStrategy[int]:
    """Tokens that a sequence holds."""
    return st.integers(0, 8192)


def point(model: StepModel, prompt: int, concurrency: int) -> Point:
    """What a ladder's rung measures of an engine that is just as `model` says."""
    step = step_s(model, concurrency, concurrency * prompt)
    prefill_s = step_s(model, 1, 0, prompt)
    return Point(prompt, concurrency, prompt / prefill_s, concurrency / step, step)


def profile(model: StepModel, concurrencies: tuple[int, ...] = (1, 2, 4, 8, 16)) -> Profile:
    """A profile that is right."""
    points = tuple(point(model, 64, at) for at in concurrencies)
    return Profile("m", 1_800_000_000, "as it stands", points, model, knee(points), 0.0, 1.0)
