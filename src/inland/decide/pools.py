"""How a replica's slots divide: kept for contracts that promise a TTFT, common for all. Pure.

The strictest objective in force chooses how many sequences may run at once. Up to there no slot
idles while anything waits; the slots beyond are for those that were promised to get in at once.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from inland.decide.capacity import largest_batch, prompt_charge, step_s, tokens_per_s
from inland.domain.capacity import Profile
from inland.domain.contracts import Contract

#: What a prompt token is charged as long as nothing was measured, in completion tokens.
PROMPT_CHARGE = 0.5


@dataclass(frozen=True, slots=True)
class Pools:
    """`common`: slots of one replica that anybody may fill. `needs`: how many a tenant has kept,
    over all replicas. `prompt_charge`: completion tokens that a prompt token counts for.
    `tokens_per_s`: of one replica whose common slots are full; None where nothing was measured."""

    common: int
    needs: dict[str, int] = field(default_factory=dict)
    prompt_charge: float = PROMPT_CHARGE
    tokens_per_s: float | None = None


def divide(
    contracts: Iterable[Contract], profile: Profile | None, slots: int, replicas: int = 1
) -> Pools:
    """The pools of `replicas` replicas with `slots` slots each."""
    promising = [one for one in contracts if one.ttft_ms is not None]
    batch = min((_batch(one, profile, slots) for one in promising), default=slots)
    reserving = [one for one in promising if one.tokens_per_second > 0]
    needs = {one.tenant: _need(one, profile, batch) for one in reserving}
    kept = math.ceil(sum(needs.values()) / max(1, replicas))
    common = max(1, min(slots, batch) - kept)
    if profile is None:
        return Pools(common, needs)
    charge, pace = prompt_charge(profile.model, batch), tokens_per_s(profile.model, common)
    return Pools(common, needs, charge, pace)


def _batch(contract: Contract, profile: Profile | None, slots: int) -> int:
    """The most sequences that may run beside one another, this contract's newest among them."""
    if profile is None or contract.ttft_ms is None:
        return slots
    objective_s = contract.ttft_ms / 1000
    return max(1, largest_batch(profile.model, objective_s, contract.prompt_tokens, slots))


def _need(contract: Contract, profile: Profile | None, batch: int) -> int:
    """The slots that its tokens take at the pace of a step each: at least one."""
    if profile is None:
        return 1
    return max(1, math.ceil(contract.tokens_per_second * step_s(profile.model, batch)))
