"""A request's turn on a replica: whether it may still go there, and as what."""

from msgspec.structs import replace

from inland.domain.plant import EngineKind, Replica
from inland.gateway.errors import Refused, disk_full, ended_key, no_lease, unavailable
from inland.gateway.rulings import Ruling
from inland.gateway.shared import Shared
from inland.ports.engine import Target


def hindrance(shared: Shared, ruling: Ruling, replica: Replica) -> Refused | None:
    """Why a request that was let in may not start on `replica` now: time has passed since."""
    if not shared.lease_ok():
        return no_lease(shared.differs())
    if not shared.journal.healthy():
        return disk_full()
    expires = ruling.key.expires_unix_s
    if expires is not None and shared.clock.unix_us() >= expires * 1_000_000:
        return ended_key("expired")
    if ruling.serving is not None and ruling.serving.adapter not in replica.adapters:
        return unavailable("release_gone", "This release is served no more; ask again.", 1)
    if replica.place.id not in ruling.verdict.places:
        return unavailable("no_allowed_place", "No replica stands where policy allows.", 5)
    return None


def target(shared: Shared, ruling: Ruling, replica: Replica) -> Target:
    """`replica` as its engine's client is told of it; which slot of it is the lane's to say."""
    deployment = ruling.deployment
    name = deployment.upstream_model or deployment.name
    found = Target(replica.id, replica.address, name, ruling.upstream_key)
    if deployment.engine is EngineKind.VLLM:
        return replace(found, salt=shared.salts.of(ruling.tenant.id))
    if ruling.serving is not None:
        return replace(found, adapter=replica.adapters.index(ruling.serving.adapter))
    return found
