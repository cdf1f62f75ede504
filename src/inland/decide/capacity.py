"""Capacity: what a deployment can do, by the step-time model it was measured to have. Pure.

An engine works in steps: each makes one token for every sequence that runs, and reads the prompts
that have come meanwhile. So whoever arrives waits for the step under way and then for the one that
reads his prompt: a time to first token is bought with a small batch, tokens/s with a large one.
"""

import math
from collections.abc import Sequence

from inland.domain.capacity import Point, StepModel

#: The knee is where this part of the most tokens/s that were measured is reached.
KNEE_PART = 0.95


def step_s(model: StepModel, batch: float, context: float = 0.0, prompt: float = 0.0) -> float:
    """Seconds of one step that makes a token for each of `batch` sequences.

    `context`: tokens in the caches of all of them together; `prompt`: prompt tokens read as well.
    The larger of two times, because weights are read while the batch is worked on (a roofline).
    """
    working_s = max(model.weights_s, model.sequence_s * batch)
    return model.overhead_s + working_s + model.context_s * context + model.prompt_s * prompt


def tokens_per_s(model: StepModel, batch: int, context_each: float = 0.0) -> float:
    """Completion tokens/s of one replica while `batch` sequences, of `context_each` tokens, run
    and no prompt comes. 0.0 for an empty batch."""
    if batch <= 0:
        return 0.0
    return batch / max(step_s(model, batch, batch * context_each), _TINY_S)


def prompt_charge(model: StepModel, batch: int, context_each: float = 0.0) -> float:
    """Completion tokens that one prompt token costs: those the batch would have made meanwhile."""
    return model.prompt_s * tokens_per_s(model, batch, context_each)


def charged(model: StepModel, batch: int, prompt: int, completion: int) -> float:
    """What a request of `prompt` and `completion` tokens takes of a contract's tokens."""
    return completion + prompt * prompt_charge(model, batch)


def ttft_s(
    model: StepModel, batch: int, prompt: int, context_each: float = 0.0, beside: int = 0
) -> float:
    """The longest until the first token of a prompt that makes the batch one of `batch`.

    All of the step under way, which reads `beside` prompt tokens of others, and then one with its
    own prompt. `batch` counts the newcomer: alone (1) it waits for nobody but those `beside`.
    """
    others = max(batch - 1, 0)
    waiting = others > 0 or beside > 0
    under_way_s = step_s(model, others, others * context_each, beside) if waiting else 0.0
    return under_way_s + step_s(model, batch, others * context_each, prompt)


def expected_ttft_s(model: StepModel, batch: int, prompt: int, context_each: float = 0.0) -> float:
    """As `ttft_s` for who comes at any time: half of the step under way is over."""
    own_s = step_s(model, batch, max(batch - 1, 0) * context_each, prompt)
    return own_s + (ttft_s(model, batch, prompt, context_each) - own_s) / 2


def largest_batch(
    model: StepModel, objective_s: float, prompt: int, most: int, context_each: float = 0.0
) -> int:
    """The most sequences, up to `most`, that may run so that a prompt of `prompt` tokens which is
    the last to join them has its first token within `objective_s`. 0: not even alone."""
    low, high = 0, max(most, 0)
    while low < high:  # a time to first token never falls as the batch grows
        batch = (low + high + 1) // 2
        if ttft_s(model, batch, prompt, context_each) <= objective_s:
            low = batch
        else:
            high = batch - 1
    return low


def knee(points: Sequence[Point]) -> int:
    """The smallest concurrency with (nearly) the most tokens/s that were measured; 1 of none."""
    best: dict[int, float] = {}
    for point in points:
        rate = point.decode_tokens_per_s
        best[point.concurrency] = max(rate, best.get(point.concurrency, 0.0))
    enough = KNEE_PART * max(best.values(), default=0.0)
    return min((one for one, rate in best.items() if rate >= enough), default=1)


def most_measured(points: Sequence[Point]) -> int:
    """The largest concurrency measured: beyond it the model is a guess, and nothing is sold."""
    return max((point.concurrency for point in points), default=0)


def whole_tokens(tokens: float) -> int:
    """Rounded against whoever sells."""
    return math.floor(tokens)


#: No step takes less: a model that says zero has measured nothing.
_TINY_S = 1e-9
