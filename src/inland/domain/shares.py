"""What several gateways and control tell one another of an engine's slots. Values only."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Demand:
    """What one gateway has to do on one deployment.

    `held`: slots it may have work in, those it is letting go of too. `tenants`: by tenant, slots
    that its waiting and its running requests ask for, and tokens it was served here in all.
    """

    held: tuple[int, ...] = ()
    tenants: dict[str, tuple[int, int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Portion:
    """What one gateway may use of one deployment: `keep` of the slots `ids`, letting go of others.

    `common`: how many of these for anybody, the rest for contracts that promise a TTFT. `parts`: by
    tenant, how much of its reservation and weight holds there.
    """

    ids: tuple[int, ...] = ()
    keep: int = 0
    common: int = 0
    parts: dict[str, float] = field(default_factory=dict)
