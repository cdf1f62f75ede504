"""Requests decided again: under another snapshot, or after they stood outside for a while."""

from inland.domain.plant import Key
from inland.domain.snapshot import Snapshot
from inland.gateway import keys
from inland.gateway.errors import Refused, denied, no_such_model, unavailable, unknown_key
from inland.gateway.request import Request
from inland.gateway.rulings import Ruling, Rulings


def judge(request: Request, rulings: Rulings, now_unix_s: int) -> Refused | None:
    """Decide a request again under new rulings; what it is refused with now, if it is."""
    try:
        request.ruling = ruled(request.ruling, rulings, now_unix_s)
        check_allowed(request.ruling)
    except Refused as refused:
        return refused
    return _still_allowed(request, request.ruling)


def ruled(old: Ruling, rulings: Rulings, now_unix_s: int) -> Ruling:
    """What is said of the same key and model now. Raises Refused where there is nothing."""
    key = usable(rulings.snapshot, old.key.id, now_unix_s)
    new = rulings.again(key, old)
    if new is None or not new.verdict.visible or not _same_service(old, new):
        raise no_such_model(old.name)
    return new


def usable(snapshot: Snapshot, key_id: str, now_unix_s: int) -> Key:
    """The key as it is now. Raises Refused where it may not be used any more."""
    key = snapshot.keys.get(key_id)
    if key is None:
        raise unknown_key()
    keys.check(snapshot, key, now_unix_s)
    return key


def check_allowed(ruling: Ruling) -> None:
    if not ruling.allowed:
        raise denied(ruling.name, ruling.verdict.rules, ruling.verdict.remedy)


def _same_service(old: Ruling, new: Ruling) -> bool:
    """Whether the name still means what it meant when the request came."""
    one, two = old.deployment, new.deployment
    return (one.engine, one.model, one.url, one.upstream_model) == (
        two.engine,
        two.model,
        two.url,
        two.upstream_model,
    )


def _still_allowed(request: Request, ruling: Ruling) -> Refused | None:
    """A running request stays where it is: that must still be allowed."""
    used = request.replica
    if used is None or not request.is_running():
        return None
    if used.place.id not in ruling.verdict.places:
        name = ruling.name
        remedy = f"place {used.place.id} is no longer allowed; ask again"
        return denied(name, ruling.verdict.rules, remedy)
    return None


def taken_away(request: Request, snapshot: Snapshot) -> Refused | None:
    """What a running request is told whose replica is there no more, or not as it was."""
    used = request.replica
    if used is None or not request.is_running():
        return None
    now = snapshot.replicas.get(used.id)
    if now is None or (now.place, now.address) != (used.place, used.address):
        return unavailable("replica_removed", "The replica that served this was taken away.")
    return None
