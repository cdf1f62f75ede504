"""Snapshots: what gateways need of the state, and no more. Pure: one state, one snapshot."""

from typing import Any, TypeVar

from inland.decide.lines.rollout import serving
from inland.domain.budgets import TOKENS
from inland.domain.capacity import Profile, settings_of
from inland.domain.plant import Deployment
from inland.domain.snapshot import Snapshot
from inland.ports.billing import BillingTables
from inland.ports.state import StateTables

#: Prices of one deployment that gateways are told: the newest, those to come among them.
PRICES_TOLD = 16

_Value = TypeVar("_Value")


def build_snapshot(
    state: StateTables, factory: str, billing: BillingTables | None = None
) -> Snapshot:
    """The state at its version. Without a policy set in force nothing is permitted.

    Without `billing` it holds no budgets: for whoever asks about something else.
    """
    digest, text = state.current_policy() or ("", "")
    return Snapshot(
        version=state.version(),
        factory=factory,
        policy_digest=digest,
        policy_text=text,
        tenants=_ordered(state.tenants()),
        keys=_ordered(state.keys()),
        models=_ordered(state.models()),
        deployments=_ordered(state.deployments()),
        replicas=_ordered(state.replicas()),
        contracts=_ordered(state.contracts()),
        profiles=_ordered(profiles_in_force(state)),
        guards=_ordered(state.guards()),
        serving=_ordered(serving(state.releases().values())),
        **({} if billing is None else _budgets(billing)),
    )


def _budgets(billing: BillingTables) -> dict[str, Any]:
    hard = {name: budget for name, budget in billing.budgets().items() if budget.hard}
    in_money = any(budget.unit != TOKENS for budget in hard.values())
    prices = billing.prices() if in_money else {}
    return {
        "budgets": hard,
        "prices": {name: held[-PRICES_TOLD:] for name, held in prices.items()},
    }


def settings_in(state: StateTables, deployment: Deployment) -> str:
    """What a profile of `deployment` would be about."""
    model = state.models().get(deployment.model)
    return settings_of(deployment, model.digest if model is not None else None)


def profiles_in_force(state: StateTables) -> dict[str, Profile]:
    """By deployment, of those that are as they were measured."""
    deployments = state.deployments()
    return {
        name: profile
        for name, profile in state.profiles().items()
        if name in deployments and profile.settings == settings_in(state, deployments[name])
    }


def _ordered(values: dict[str, _Value]) -> dict[str, _Value]:
    return dict(sorted(values.items()))
