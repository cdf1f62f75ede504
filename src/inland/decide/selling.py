"""What may be sold of a deployment: contracts against measured capacity, with headroom. Pure.

The strictest TTFT objective sold chooses the largest batch that may run, and that batch the
tokens/s there are. A contract's tokens/s are the engine's time: prompts are charged against them at
the profile's rate (`decide/capacity.charged`), so that what is sold fits whatever its requests look
like. A burst is served out of headroom and of what others leave, and adds nothing to the sum.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from inland.decide.capacity import (
    largest_batch,
    most_measured,
    prompt_charge,
    tokens_per_s,
    ttft_s,
    whole_tokens,
)
from inland.domain.capacity import Profile
from inland.domain.contracts import Contract

#: How much of what was measured is never sold: what a measurement is wrong by, and bursts.
HEADROOM_PERCENT = 20


@dataclass(frozen=True, slots=True)
class Supply:
    """What there is to sell of: `replicas` as the profile's, each with `slots`, and how much of
    what they can do is kept back. `context_each`: tokens a sequence is taken to hold."""

    profile: Profile
    replicas: int
    slots: int
    headroom_percent: int = HEADROOM_PERCENT
    context_each: float = 0.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """What can be sold while some objectives hold, and what of it is.

    `batch`: sequences that may run on one replica; 0 where an objective cannot be met.
    `tokens_per_second`: of all replicas at that batch; `for_sale`: less headroom; `sold`: of that.
    `prompt_charge`: completion tokens that a prompt token counts for at that batch.
    """

    batch: int
    tokens_per_second: float
    for_sale: int
    sold: int
    prompt_charge: float

    @property
    def left(self) -> int:
        """Tokens/s that can still be sold."""
        return max(self.for_sale - self.sold, 0)


@dataclass(frozen=True, slots=True)
class Offer:
    """Whether one more contract fits: capacity with it on the books, and without.

    `floor_ms`: its TTFT where it runs alone, which no objective of its own can be below;
    `strictest`: the contract whose objective chooses the batch, if any promises one.
    """

    fits: bool
    capacity: Capacity
    before: Capacity
    floor_ms: int
    strictest: Contract | None


def capacity_of(supply: Supply, contracts: Iterable[Contract]) -> Capacity:
    """What `supply` has for sale while the objectives of `contracts` are held."""
    sold = list(contracts)
    model, each = supply.profile.model, supply.context_each
    batch = min((_batch(supply, one) for one in sold), default=_most(supply))
    tokens = supply.replicas * tokens_per_s(model, batch, each)
    return Capacity(
        batch=batch,
        tokens_per_second=tokens,
        for_sale=whole_tokens(tokens * (100 - supply.headroom_percent) / 100),
        sold=sum(one.tokens_per_second for one in sold),
        prompt_charge=prompt_charge(model, batch, each),
    )


def offer(supply: Supply, sold: Iterable[Contract], asked: Contract) -> Offer:
    """Whether `asked` fits beside what is sold already; a contract of its tenant on the same
    deployment is one that it takes the place of."""
    others = [one for one in sold if one.id != asked.id and one.tenant != asked.tenant]
    after, before = capacity_of(supply, [*others, asked]), capacity_of(supply, others)
    fits = after.batch > 0 and after.sold <= after.for_sale
    alone_s = ttft_s(supply.profile.model, 1, asked.prompt_tokens, supply.context_each)
    promising = [one for one in [*others, asked] if one.ttft_ms is not None]
    strictest = min(promising, key=lambda one: _batch(supply, one), default=None)
    return Offer(fits, after, before, math.ceil(alone_s * 1000), strictest)


def least_objective_ms(supply: Supply, sold: Iterable[Contract], asked: Contract) -> int | None:
    """The strictest TTFT objective with which `asked` fits; None if it fits with none."""
    others = list(sold)
    if not offer(supply, others, replace(asked, ttft_ms=None)).fits:
        return None
    fitting = (
        ms
        for ms in _objectives_ms(supply, asked.prompt_tokens)
        if offer(supply, others, replace(asked, ttft_ms=ms)).fits
    )
    return next(fitting, None)


def _objectives_ms(supply: Supply, prompt: int) -> list[int]:
    """The objective that each batch just meets, strictest first."""
    model, each = supply.profile.model, supply.context_each
    batches = range(1, _most(supply) + 1)
    return [int(ttft_s(model, batch, prompt, each) * 1000) + 1 for batch in batches]


def _most(supply: Supply) -> int:
    return min(supply.slots, most_measured(supply.profile.points))


def _batch(supply: Supply, contract: Contract) -> int:
    """The most sequences on a replica that leave this contract its objective."""
    if contract.ttft_ms is None:
        return _most(supply)
    model, objective_s = supply.profile.model, contract.ttft_ms / 1000
    return largest_batch(
        model, objective_s, contract.prompt_tokens, _most(supply), supply.context_each
    )
