"""Capacity profiles: what deployments were measured to do, written and booked."""

from inland.domain.capacity import Profile
from inland.domain.errors import Conflict
from inland.plant.changes import Change
from inland.plant.snapshots import settings_in

_NS, _PARTS = 1_000_000_000, 1000


def put_profile(change: Change, profile: Profile, replica: str | None = None) -> None:
    """Write a profile, measured on `replica` or refitted (None), and book it: what is sold later
    stands on this.

    Raises Conflict for one of a deployment that is gone or has changed.
    """
    deployment = change.state.deployments().get(profile.deployment)
    if deployment is None or settings_in(change.state, deployment) != profile.settings:
        why = "it was changed meanwhile; measure it again"
        raise Conflict(f"measuring {profile.deployment!r}", why)
    change.state.put_profile(profile)
    model = profile.model
    change.book(
        "deployment.refit" if replica is None else "deployment.measure",
        profile.deployment,
        replica=replica,
        settings=profile.settings,
        measured=profile.measured_unix_s,
        points=[
            {
                "prompt_tokens": point.prompt_tokens,
                "concurrency": point.concurrency,
                "prefill_tokens_per_1000_s": round(point.prefill_tokens_per_s * _PARTS),
                "decode_tokens_per_1000_s": round(point.decode_tokens_per_s * _PARTS),
                "step_ns": round(point.step_s * _NS),
            }
            for point in profile.points
        ],
        overhead_ns=round(model.overhead_s * _NS),
        weights_ns=round(model.weights_s * _NS),
        sequence_ns=round(model.sequence_s * _NS),
        prompt_ns=round(model.prompt_s * _NS),
        context_ps=round(model.context_s * _NS * _PARTS),
        knee=profile.knee,
        error_per_1000=round(profile.error * _PARTS),
        r2_per_1000=round(profile.r2 * _PARTS),
        beside_tokens=profile.beside_tokens,
    )
