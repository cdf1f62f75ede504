"""What happens to one deployment's admission, and what it has done about it. Values only.

They are written as JSON where a gateway records them; replayed, they lead to the same actions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from inland.domain.capacity import Profile
from inland.domain.contracts import Contract


@dataclass(frozen=True, slots=True)
class Bounds:
    """`waiting_per_tenant` and `waiting_total`: requests. `wait_s`: longest time in the queue."""

    waiting_per_tenant: int = 256
    waiting_total: int = 4096
    wait_s: float = 30.0
    overtakes: int = 8


class Arrive(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """A request wants `slots` slots of one replica.

    `prompt_estimate`: tokens of its prompt, guessed from its length; `most`: the most it may be
    answered, over all choices; `prefix`: equal ones begin alike, 0 where that is not known.
    `adapter`: what it is asked under ("" is the base), where a replica works on one at a time; None
    where it may run beside anything.
    """

    request: int
    tenant: str
    slots: int = 1
    prompt_estimate: int = 0
    most: int = 1 << 20
    prefix: int = 0
    adapter: str | None = None


class Progress(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """A request was answered `completion` tokens so far, by its engine's count."""

    request: int
    completion: int


class Return(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """A started request could not be served there: it goes back to the head of its tenant's queue.

    It may wait as long as one that comes now: what it was worked on does not count as waiting. Who
    sends it back bounds how often.
    """

    request: int


class Done(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """A request ended, was given up, or left: waiting or running, it holds nothing any more.

    `prompt`, `completion`: tokens its engine counted; what it said on the way where it did not.
    """

    request: int
    prompt: int | None = None
    completion: int | None = None


class Up(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """A replica works and has `slots` slots for us.

    `common`: how many of them anybody may fill; None where that follows from the terms.
    """

    replica: str
    slots: int
    common: int | None = None


class Down(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """A replica takes no new requests. Those it runs end by `Done` or come back by `Return`."""

    replica: str


class Terms(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """The contracts in force on the deployment, and what it was measured to do.

    `slots`: of each of its replicas, ours and other gateways'; None where all are ours.
    """

    contracts: tuple[Contract, ...] = ()
    profile: Profile | None = None
    slots: int | None = None


class Parts(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """How much of its reservation and of its weight a tenant has here, of several gateways; those
    that are not named have all."""

    parts: Mapping[str, float]


class GivenUp(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """Every replica failed for good: waiting is hopeless until one is `Up` again."""


class Tick(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """Time passed."""


Event = Arrive | Progress | Return | Done | Up | Down | Terms | Parts | GivenUp | Tick


class Why(StrEnum):
    """Why a request was turned away."""

    FULL = "full"
    LATE = "late"
    WAITED = "waited"
    TOO_LARGE = "too-large"
    GIVEN_UP = "given-up"


class Start(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """Run this request on this replica now."""

    request: int
    replica: str


class Refuse(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """Turn this request away; `retry_after_s` is when it may try again."""

    request: int
    why: Why
    retry_after_s: int


Action = Start | Refuse
