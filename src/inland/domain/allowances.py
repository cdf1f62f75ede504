"""What gateways and control say to each other of hard budgets, beside the snapshot.

Amounts are tokens, or picos of a currency, and cumulative: all that one life of a gateway lets its
requests of a period come to. So a message that is lost or comes twice changes nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """What a gateway holds of a budget's period, and wants. Each ask names all it holds.

    It will let its requests come to `held` in all, and lets go of what it was allowed beyond.
    `least`: what the smallest request that waits needs beyond `held`; `waiting`: what all of them
    do; `spare`: what the next second may take. `fresh`: it held nothing of this before, and does
    not know what this life of it came to before the budget was there.
    """

    budget: str
    period_unix_s: int
    held: int
    least: int = 0
    waiting: int = 0
    spare: int = 0
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Allowance:
    """Control's word on a claim: the gateway may let its requests come to `held` in all.

    `base`: for a fresh one, what this life came to before. `used`: what is booked of the budget,
    by everybody. Not `sure`: control does not know yet what others hold, so ask again.
    """

    budget: str
    period_unix_s: int
    held: int
    base: int = 0
    used: int = 0
    sure: bool = True
