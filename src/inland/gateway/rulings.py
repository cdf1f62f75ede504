"""What one snapshot says about a key and a deployment, decided once and kept with it."""

from collections.abc import Callable
from typing import Protocol

from inland.decide.rulebook import Verdict
from inland.domain.budgets import Budget
from inland.domain.capabilities import known
from inland.domain.plant import Deployment, Key, Model, Replica, Tenant
from inland.domain.snapshot import Secrets, Snapshot
from inland.gateway.guarding import Guarding, guarding
from inland.gateway.keys import Proofs
from inland.gateway.record import Template, fixed_fields
from inland.ledger.commitments import RecordKeys


class Decider(Protocol):
    """`decide.residency.Residency`, or what stands in for it."""

    def decide_serve(self, key_id: str, deployment: str, /) -> Verdict: ...


DeciderOf = Callable[[Snapshot], Decider]


class Ruling:
    """May this key use this deployment, and what its requests' records will say."""

    __slots__ = (
        "_deciding",
        "_templates",
        "allowed",
        "budgets",
        "deployment",
        "guarding",
        "key",
        "model",
        "policy_digest",
        "prices",
        "record_keys",
        "snapshot_version",
        "supports",
        "tenant",
        "upstream_key",
        "verdict",
    )

    def __init__(
        self,
        key: Key,
        deployment: Deployment,
        snapshot: Snapshot,
        secrets: Secrets,
        verdict: Verdict,
        writer: str,
        budgets: tuple[Budget, ...] = (),
    ) -> None:
        assert key.tenant is not None
        self.key = key
        self.tenant: Tenant = snapshot.tenants[key.tenant]
        self.deployment = deployment
        self.model: Model | None = snapshot.models.get(deployment.model)
        self.verdict = verdict
        self.budgets = budgets
        self.prices = snapshot.prices.get(deployment.name, ())
        self.guarding: Guarding | None = guarding(
            snapshot.guards.values(), deployment.name, key.tenant
        )
        self.supports = known(deployment, snapshot.replicas.values())
        secret = secrets.record_keys.get(key.tenant)
        self.record_keys = None if secret is None else RecordKeys(secret)
        #: Allowed, known of, and everything its record needs is there.
        self.allowed = (
            verdict.allowed
            and verdict.visible
            and self.model is not None
            and self.record_keys is not None
        )
        self.upstream_key = secrets.upstream_keys.get(deployment.name)
        self.snapshot_version = snapshot.version
        self.policy_digest = snapshot.policy_digest
        self._deciding = {
            "snapshot": snapshot.version,
            "policy": snapshot.policy_digest,
            "decided_by": list(verdict.rules),
            "writer": writer,
        }
        self._templates: dict[tuple[str, str, bool], Template] = {}

    def template(self, replica: Replica, route: str, *, stream: bool) -> Template:
        """The record of this key's requests to `route` served by `replica`."""
        found = self._templates.get((replica.id, route, stream))
        if found is None:
            assert self.model is not None
            fixed = fixed_fields(
                self.key,
                self.tenant,
                self.deployment,
                self.model,
                replica,
                self._deciding,
                route,
                stream=stream,
            )
            found = self._templates[(replica.id, route, stream)] = Template(fixed)
        return found


class Rulings:
    """Every ruling of one snapshot, made when first asked for. Bounded: beyond it, made anew."""

    def __init__(
        self,
        snapshot: Snapshot,
        secrets: Secrets,
        decider: Decider,
        writer: str,
        most: int,
    ) -> None:
        self.snapshot = snapshot
        self._secrets = secrets
        self._decider = decider
        self._writer = writer
        self._most = most
        self.proofs = Proofs(most)
        self._made: dict[tuple[str, str], Ruling] = {}
        self._budgets: dict[str, list[Budget]] = {}
        for budget in snapshot.budgets.values():
            self._budgets.setdefault(budget.tenant, []).append(budget)

    def of(self, key: Key, name: str) -> Ruling | None:
        """The ruling for a live key of this snapshot; None where no deployment has that name."""
        found = self._made.get((key.id, name))
        if found is not None:
            return found
        deployment = self.snapshot.deployments.get(name)
        if deployment is None or key.tenant is None:
            return None
        if len(self._made) >= self._most:
            self._made.clear()
        verdict = self._decider.decide_serve(key.id, name)
        budgets = tuple(
            one for one in self._budgets.get(key.tenant, ()) if one.key in {None, key.id}
        )
        made = Ruling(key, deployment, self.snapshot, self._secrets, verdict, self._writer, budgets)
        self._made[(key.id, name)] = made
        return made
