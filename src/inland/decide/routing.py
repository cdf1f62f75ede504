"""Which replica of a deployment a request is sent to: the one where its first token is expected
soonest, of those that are open and have the slots free.
"""

# An engine reads the prompts given to it in turn, in steps that also make a token for every
# sequence under way. So what a new request waits for is the prompts ahead of it that have not been
# read, its own, and the batch it shares the steps with.

from collections.abc import Mapping

import msgspec

from inland.domain.capacity import StepModel

#: For what was never measured. Only its proportions matter: reading one token of a prompt costs
#: about half of making one for a sequence, and a step costs something whatever is in it.
UNMEASURED = StepModel(
    overhead_s=0.004, weights_s=0.0, sequence_s=0.004, prompt_s=0.002, context_s=0.0
)
#: How far one observation moves what is believed of a replica's speed; how many times that it is
#: taken to have been at most; and how far what is believed may go. Where nothing was measured all
#: replicas seem slow or fast alike, by any factor.
_WEIGHT, _SURPRISE = 0.1, 4.0
SLOWEST = 1024.0


class Load(msgspec.Struct, gc=False):
    """What one replica has to do, of what is known here.

    `used`: slots taken. `unread_tokens`: of prompts sent to it that no token came of yet.
    `context_tokens`: kept in its cache for those it answers. `slowness`: how many times longer it
    takes than the model says. `is_open`: it takes new requests (it neither rests nor drains).
    """

    slots: int
    used: int = 0
    unread_tokens: int = 0
    context_tokens: int = 0
    slowness: float = 1.0
    is_open: bool = True

    @property
    def free(self) -> int:
        """Slots nobody uses; below 0 where it lost some that are still in use."""
        return self.slots - self.used


def expected_ttft_s(load: Load, slots: int, prompt_tokens: int, model: StepModel | None) -> float:
    """Seconds until the first token of a request for `slots` slots that is sent there now.

    Reading all that is unread, and one step of the batch as it would then be: a lower bound where
    an engine reads long prompts in several steps, and a right order between replicas all the same.
    """
    by = model if model is not None else UNMEASURED
    step_s = by.overhead_s + max(by.weights_s, by.sequence_s * (load.used + slots))
    step_s += by.prompt_s * (load.unread_tokens + prompt_tokens)
    return load.slowness * (step_s + by.context_s * (load.context_tokens + prompt_tokens))


def soonest(
    loads: Mapping[str, Load],
    slots: int,
    prompt_tokens: int,
    model: StepModel | None,
    reused: Mapping[str, int] | None = None,
) -> str | None:
    """The replica to send a request to; None where none that is open has `slots` free.

    `reused`: tokens of the prompt that a replica still has, of the same tenant, and need not read.
    Of equals the one with more free slots, then the first by name.
    """
    best: tuple[float, int, str] | None = None
    for name, load in loads.items():
        if not load.is_open or load.free < slots:
            continue
        there = min(prompt_tokens, reused.get(name, 0)) if reused else 0
        expected_s = expected_ttft_s(load, slots, prompt_tokens - there, model)
        one = (expected_s, -load.free, name)
        if best is None or one < best:
            best = one
    return best[2] if best is not None else None


def seen_slowness(load: Load, expected_s: float, observed_s: float) -> float:
    """The replica's slowness, one first token later. `expected_s` as it was when it was sent there.

    An average that leans on the past: one pause of the machine does not turn everybody away.
    """
    if expected_s <= 0:
        return load.slowness
    times = min(_SURPRISE, max(1 / _SURPRISE, observed_s / expected_s))
    believed = load.slowness * (1 + _WEIGHT * (times - 1))
    return min(SLOWEST, max(1 / SLOWEST, believed))
