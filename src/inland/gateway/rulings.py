"""What one snapshot says about a key and a model, decided once and kept with it.

A model is a deployment, or a release of the key's own tenant: of a name that both have it is the
release, and nobody else's release has a name here at all; nor has a run's candidate, but for its
key.
"""

from collections.abc import Callable
from itertools import groupby
from typing import Protocol

from inland.decide.lines.rollout import chosen
from inland.decide.rulebook import Verdict
from inland.domain.budgets import Budget
from inland.domain.capabilities import Known, known
from inland.domain.plant import Deployment, Feature, Key, Model, Replica, Tenant
from inland.domain.releases import Serving
from inland.domain.snapshot import Secrets, Snapshot
from inland.gateway.guarding import Guarding, guarding
from inland.gateway.keys import Proofs
from inland.gateway.record import Template, fixed_fields, release_fields
from inland.ledger.commitments import RecordKeys


class Decider(Protocol):
    """`decide.residency.Residency`, or what stands in for it."""

    def decide_serve(self, key_id: str, deployment: str, /) -> Verdict: ...

    def decide_release(self, key_id: str, serving: Serving, /) -> Verdict: ...


DeciderOf = Callable[[Snapshot], Decider]


class Ruling:
    """May this key use this model, and what its requests' records will say.

    `name`: as it is asked for. `serving`, `adapter`: of a release. `owner`: whose the prompts are
    that may lie in one slot: a tenant's, read in under one adapter.
    """

    __slots__ = (
        "_deciding",
        "_templates",
        "adapter",
        "allowed",
        "budgets",
        "deployment",
        "guarding",
        "key",
        "model",
        "name",
        "owner",
        "policy_digest",
        "prices",
        "record_keys",
        "serving",
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
        serving: Serving | None = None,
    ) -> None:
        assert key.tenant is not None
        self.serving = serving
        self.name = deployment.name if serving is None else serving.name
        self.owner = key.tenant if serving is None else f"{key.tenant}/{serving.adapter}"
        self.adapter = None if serving is None else snapshot.models.get(serving.adapter)
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
        if serving is not None:  # vectors are the base's own, without the adapter
            self.supports |= dict.fromkeys((Feature.EMBEDDINGS, Feature.DIMENSIONS), Known.NO)
        secret = secrets.record_keys.get(key.tenant)
        self.record_keys = None if secret is None else RecordKeys(secret)
        #: Allowed, known of, and everything its record needs is there.
        self.allowed = (
            verdict.allowed
            and verdict.visible
            and self.model is not None
            and (serving is None or self.adapter is not None)
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
            if self.serving is not None and self.adapter is not None:
                fixed |= release_fields(self.serving, self.adapter)
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
        self._made_of_releases: dict[tuple[str, str], Ruling] = {}
        self._served = _by_name(snapshot)
        self._budgets: dict[str, list[Budget]] = {}
        for budget in snapshot.budgets.values():
            self._budgets.setdefault(budget.tenant, []).append(budget)

    def of(self, key: Key, name: str, user: str = "") -> Ruling | None:
        """The ruling for a live key of this snapshot, asking for `user`; None where nothing has
        that name."""
        if self._served and key.tenant is not None:
            releases = self._served.get((key.tenant, name))
            if releases is not None and releases[0].key in {"", key.id}:
                return self._of_release(key, chosen(releases, key.id, user))
        return self.of_deployment(key, name)

    def names(self, key: Key) -> list[str]:
        """The names of all there is for the key's tenant, whether it may use it or not."""
        own = [
            name
            for (tenant, name), releases in self._served.items()
            if tenant == key.tenant and releases[0].key in {"", key.id}
        ]
        return sorted({*self.snapshot.deployments, *own})

    def again(self, key: Key, old: Ruling) -> Ruling | None:
        """The ruling for what an earlier snapshot ruled on: a request keeps the release that it
        began with, while that may be served at all."""
        if old.serving is None:
            return self.of_deployment(key, old.deployment.name)
        return self._of_release(key, old.serving)

    def _of_release(self, key: Key, serving: Serving) -> Ruling | None:
        found = self._made_of_releases.get((key.id, serving.release))
        if found is not None:
            return found
        deployment = self.snapshot.deployments.get(serving.deployment)
        if deployment is None or key.tenant != serving.tenant:
            return None
        if len(self._made_of_releases) >= self._most:
            self._made_of_releases.clear()
        verdict = self._decider.decide_release(key.id, serving)
        made = self._ruling(key, deployment, verdict, serving)
        self._made_of_releases[(key.id, serving.release)] = made
        return made

    def of_deployment(self, key: Key, name: str) -> Ruling | None:
        """The ruling for a deployment, whatever releases there are."""
        found = self._made.get((key.id, name))
        if found is not None:
            return found
        deployment = self.snapshot.deployments.get(name)
        if deployment is None or key.tenant is None:
            return None
        if len(self._made) >= self._most:
            self._made.clear()
        verdict = self._decider.decide_serve(key.id, name)
        made = self._made[(key.id, name)] = self._ruling(key, deployment, verdict)
        return made

    def _ruling(
        self, key: Key, deployment: Deployment, verdict: Verdict, serving: Serving | None = None
    ) -> Ruling:
        told = self._budgets.get(key.tenant or "", ())
        budgets = tuple(one for one in told if one.key in {None, key.id})
        return Ruling(
            key,
            deployment,
            self.snapshot,
            self._secrets,
            verdict,
            self._writer,
            budgets,
            serving,
        )


def _by_name(snapshot: Snapshot) -> dict[tuple[str, str], list[Serving]]:
    """Releases by tenant and name."""

    def name(one: Serving) -> tuple[str, str]:
        return (one.tenant, one.name)

    ordered = sorted(snapshot.serving.values(), key=name)
    return {key: list(group) for key, group in groupby(ordered, name)}
