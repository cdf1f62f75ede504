"""What a caller is told of its engine's failure."""

from inland.gateway.errors import Refused, engine_failed, invalid, unavailable
from inland.ports.engine import End, Ending


def failure(end: End) -> Refused:
    """What the caller is told of an engine's failure."""
    if end.how in {Ending.GONE, Ending.STOPPED}:
        text = "The engine was lost before the answer was whole; nothing is billed. Send it again."
        return unavailable("engine_lost", text)
    if end.how is Ending.COMPLETE:  # by its own account, but a choice is missing
        return engine_failed()
    if end.status in {400, 413, 422}:
        return invalid(None, end.why or "The engine refused the request.", "engine_refused")
    if end.status in {429, 503}:
        return unavailable("engine_busy", "The engine has no room; try again.", 2)
    if not end.connected:
        text = "Policy closes the way to this model's server; its operator can open it."
        return unavailable("egress_denied", text, 30)
    return engine_failed()
