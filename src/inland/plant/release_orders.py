"""What a release is asked for as, held to what a release can be."""

from dataclasses import dataclass
from typing import Any

from inland.decide.lines.rollout import loaded, percents_wrong
from inland.domain.assets import AssetState
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.domain.ids import is_name
from inland.domain.plant import EngineKind, Model
from inland.domain.releases import (
    NO_EVIDENCE,
    USUAL_PACE,
    Evidence,
    Pace,
    Release,
    ReleaseState,
)
from inland.plant.asset_rulings import unknown
from inland.plant.changes import Change
from inland.plant.models import put_model
from inland.ports.assets import AssetRow
from inland.ports.state import StateTables

#: Adapters that one engine is started with, at most; and texts and numbers of evidence.
MOST_ADAPTERS, MOST_EVIDENCE, EVIDENCE_CHARS = 200, 512, 1024
MAX_SOAK_S, MAX_SAMPLES, MAX_POINTS, MAX_TTFT_MS = 30 * 86_400, 1_000_000, 1_000, 3_600_000


@dataclass(frozen=True, slots=True)
class Order:
    """A release asked for: `name` in its tenant's `/v1`, of an `adapter` over a deployment."""

    name: str
    deployment: str
    adapter: str
    evidence: Evidence = NO_EVIDENCE
    pace: Pace = USUAL_PACE


def new_release(
    change: Change,
    made: str,
    adapter: Model,
    order: Order,
    who: str,
    state: ReleaseState,
    **more: Any,
) -> Release:
    """One of an order, with that id; not put. Raises BadInput, Conflict, NotFound."""
    row = live_row(change, adapter.id)
    if adapter.id not in change.state.models():
        put_model(change, adapter, asset=adapter.id)
    base = base_of(change.state, order.deployment)
    return Release(
        id=made,
        tenant=row.tenant,
        name=order.name,
        deployment=order.deployment,
        base_digest=base.digest or "",
        adapter=adapter.id,
        digest=str(adapter.digest),
        state=state,
        proposed_by=who,
        created_unix_s=change.unix_s,
        since_unix_s=change.unix_s,
        pace=order.pace,
        evidence=order.evidence,
        **more,
    )


def live_row(change: Change, adapter: str) -> AssetRow:
    """The asset that an adapter is. Raises NotFound where it is none any more."""
    row = change.assets.asset(adapter)
    if row is None or row.state is not AssetState.LIVE:
        raise unknown(adapter)
    return row


def base_of(state: StateTables, deployment: str) -> Model:
    """The model that a deployment serves. Raises NotFound, BadInput."""
    found = state.deployments().get(deployment)
    model = None if found is None else state.models().get(found.model)
    if found is None or model is None:
        raise NotFound(f"deployment {deployment!r}")
    if found.engine is not EngineKind.LLAMA_CPP:
        raise BadInput("deployment", f"{deployment} is no llama.cpp, which alone takes adapters")
    return model


def refuse_taken(state: StateTables, name: str) -> None:
    """Raises Conflict for a name that another model has."""
    if name in state.deployments():
        raise Conflict(f"model name {name!r}", "a deployment has it: choose another")


def refuse_full(state: StateTables, release: Release, now_unix_s: int) -> None:
    """No more adapters than an engine takes."""
    there = loaded(state.releases().values(), now_unix_s).get(release.deployment, ())
    if release.adapter not in there and len(there) >= MOST_ADAPTERS:
        why = f"its engines have {len(there)} adapters, at most {MOST_ADAPTERS}"
        raise Conflict(f"deployment {release.deployment!r}", why)


def check_name(name: str) -> None:
    """Raises BadInput for what no model can be called."""
    if not is_name(name):
        raise BadInput("name", f"{name!r}: use a-z, 0-9, '.', '_' and '-', at most 63")


def check(pace: Pace, evidence: Evidence) -> None:
    """Raises BadInput naming the field."""
    if wrong := percents_wrong(pace.percents):
        raise BadInput("percents", wrong)
    for field, value, most in (
        ("soak_s", pace.soak_s, MAX_SOAK_S),
        ("samples", pace.samples, MAX_SAMPLES),
        ("error_points", pace.error_points, 100),
        ("ttft_percent", pace.ttft_percent, MAX_POINTS),
        ("score_points", pace.score_points, 100),
        ("thumbs", pace.thumbs, MAX_SAMPLES),
        ("errors_most", pace.errors_most or 0, 1),
        ("ttft_ms_most", pace.ttft_ms_most or 0, MAX_TTFT_MS),
        ("live_score_least", pace.live_score_least or 0, 1),
    ):
        if not 0 <= value <= most:
            raise BadInput(field, f"{value} is not between 0 and {most}")
    texts = [evidence.run, evidence.code, evidence.gate, *evidence.data]
    for pairs in (evidence.parameters, evidence.scores):
        texts += [*pairs, *pairs.values()]
        if not all(key.isascii() for key in pairs):
            raise BadInput("evidence", "names are ASCII")
    if len(texts) > MOST_EVIDENCE or any(len(text) > EVIDENCE_CHARS for text in texts):
        raise BadInput("evidence", f"at most {MOST_EVIDENCE} texts of {EVIDENCE_CHARS} characters")
