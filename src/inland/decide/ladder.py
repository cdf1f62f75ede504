"""The ladder a replica is measured on: which rungs, and what one was seen to be. Pure.

A rung is some requests of one prompt length, sent at once. Cheap ones come first, and one that
would not end within the time that is left, by what was seen so far, is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from inland.decide.step_fitting import Observation
from inland.domain.capacity import Point, Stream

#: Tokens that each request makes, and prompt lengths, as far as the context has room.
TOKENS = 32
PROMPTS = (32, 128, 512, 2048)
#: The part of a context that prompts fill: a word of ours may be more than a token.
_ROOM = 0.75
#: Times that a request alone is tried: a pause of the machine spoils one of them at most.
_ALONE = 3
#: Fewer steps with every request under way say nothing.
_LEAST_STEPS = 4
#: Common words, which tokenizers have whole.
_WORDS = (
    "the of and a to in is you that it he was for on are as with his they at be this have from or"
    " one had by word but not what all were we when your can said there use an each which she do"
    " how their if will up other about out many then them these so"
).split()


@dataclass(frozen=True, slots=True)
class Rung:
    """`concurrency` requests of `prompt_tokens` each, `times` times."""

    prompt_tokens: int
    concurrency: int
    times: int = 1

    def __str__(self) -> str:
        return f"{self.prompt_tokens} prompt tokens × {self.concurrency}"


def rungs(slots: int, context: int) -> list[Rung]:
    """All that would be of interest, cheapest first."""
    room = (context - TOKENS) * _ROOM
    prompts = [one for one in PROMPTS if one <= room] or [max(1, int(room))]
    most = [2**power for power in range(slots.bit_length()) if 2**power < slots]
    ladder = [
        Rung(prompt, at, _ALONE if at == 1 else 1) for prompt in prompts for at in [*most, slots]
    ]
    return sorted(ladder, key=lambda rung: rung.prompt_tokens * rung.concurrency * rung.times)


def prompt(number: int, tokens: int) -> str:
    """Words, about a token each. Those of two numbers differ from the start: no engine finds the
    one in what it keeps of the other."""
    count = len(_WORDS)
    start: list[str] = []
    left = number
    while left:
        left, digit = divmod(left, count)
        start.append(_WORDS[digit])
    rest = (_WORDS[(number + at * at) % count] for at in range(tokens))
    return " ".join([*start, *rest][:tokens])


def lasting_s(rung: Rung, seen: Sequence[Point]) -> float:
    """How long a rung is expected to take, by those that were seen; 0.0 before the first."""
    if not seen:
        return 0.0
    reading = min(point.prefill_tokens_per_s for point in seen)
    step = max(point.step_s / point.concurrency for point in seen) * rung.concurrency
    once = rung.prompt_tokens * rung.concurrency / reading + TOKENS * step
    return rung.times * once


def point(concurrency: int, runs: Sequence[Sequence[Stream]]) -> Point | None:
    """What a rung was seen to be; None where its requests were never all answered at once."""
    seen = [one for run in runs if (one := _seen(concurrency, run)) is not None]
    if not seen:
        return None
    step = median(one.step_s for one in seen)
    return Point(
        prompt_tokens=round(median(one.prompt_tokens for one in seen)),
        concurrency=concurrency,
        prefill_tokens_per_s=median(one.prefill_tokens_per_s for one in seen),
        decode_tokens_per_s=median(one.decode_tokens_per_s for one in seen),
        step_s=step,
        context_tokens=median(one.context_tokens for one in seen),
    )


def _seen(concurrency: int, streams: Sequence[Stream]) -> Point | None:
    """One run of a rung."""
    if len(streams) < concurrency or any(len(one.tokens_at) < 2 for one in streams):
        return None
    begin = max(one.tokens_at[0][0] for one in streams)
    end = min(one.tokens_at[-1][0] for one in streams)
    steps: list[float] = []
    made = 0
    contexts: list[int] = []
    for one in streams:
        for (before_s, before), (at_s, count) in pairwise(one.tokens_at):
            if begin <= before_s and at_s <= end and count > before:
                steps += [(at_s - before_s) / (count - before)] * (count - before)
                made += count - before
                contexts.append(one.prompt_tokens + count)
    if len(steps) < _LEAST_STEPS * concurrency or end <= begin or median(steps) <= 0:
        return None
    return Point(
        prompt_tokens=round(median(one.prompt_tokens for one in streams)),
        concurrency=concurrency,
        prefill_tokens_per_s=sum(one.prompt_tokens for one in streams) / begin,
        decode_tokens_per_s=made / (end - begin),
        step_s=median(steps),
        context_tokens=sum(contexts) / len(contexts),
    )


def observations(points: Sequence[Point]) -> list[Observation]:
    """What a model is fitted to: the steps of each rung, and the prompts that were read alone."""
    steps = [
        Observation(one.concurrency, one.concurrency * one.context_tokens, 0, one.step_s)
        for one in points
    ]
    reading = [
        Observation(1, 0, one.prompt_tokens, one.prompt_tokens / one.prefill_tokens_per_s)
        for one in points
        if one.concurrency == 1 and one.prefill_tokens_per_s > 0
    ]
    return steps + reading
