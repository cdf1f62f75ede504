"""Snapshots: what gateways need of the state, and no more. Pure: one state, one snapshot."""

from typing import TypeVar

from inland.domain.snapshot import Snapshot
from inland.ports.state import StateTables

_Value = TypeVar("_Value")


def build_snapshot(state: StateTables, factory: str) -> Snapshot:
    """The state at its version. Without a policy set in force nothing is permitted."""
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
        profiles=_ordered(state.profiles()),
    )


def _ordered(values: dict[str, _Value]) -> dict[str, _Value]:
    return dict(sorted(values.items()))
