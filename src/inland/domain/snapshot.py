"""All that a gateway needs to decide and dispatch, at one version, and the secrets beside it.

Control streams these; a gateway holds exactly one of each. Versions only rise, over restarts too.
"""

from dataclasses import dataclass, field

from inland.domain.budgets import Budget
from inland.domain.capacity import Profile
from inland.domain.contracts import Contract
from inland.domain.guards import Guard
from inland.domain.plant import Deployment, Key, Model, Replica, Tenant
from inland.domain.pricing import Price
from inland.domain.releases import Serving


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Plant state at `version`. `policy_digest` is `sha256:<hex>` over the policy set's text.

    `contracts`: those in force, by id. `profiles`: by deployment, of those measured as they stand.
    `budgets`: the hard ones, by id. `prices`: by deployment, the earliest first, where such a
    budget is in money. `guards`: by name. `serving`: the releases that answer, by id.
    """

    version: int
    factory: str
    policy_digest: str
    policy_text: str
    tenants: dict[str, Tenant]
    keys: dict[str, Key]
    models: dict[str, Model]
    deployments: dict[str, Deployment]
    replicas: dict[str, Replica]
    contracts: dict[str, Contract] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)
    budgets: dict[str, Budget] = field(default_factory=dict)
    prices: dict[str, tuple[Price, ...]] = field(default_factory=dict)
    guards: dict[str, Guard] = field(default_factory=dict)
    serving: dict[str, Serving] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must not be shown with a snapshot: tenants' record keys and credentials of upstreams.

    `record_keys`: tenant → 32 bytes. `upstream_keys`: deployment → bearer token.
    """

    record_keys: dict[str, bytes] = field(repr=False)
    upstream_keys: dict[str, str] = field(repr=False)
