"""Bodies of the token path, held to JSON that can be read one way only."""

from inland.domain import strict_json
from inland.domain.limits import Limits
from inland.gateway.errors import Refused, invalid


def check_json(body: bytes, limits: Limits) -> None:
    """Raises Refused, naming what is given twice. Every body is checked before it is decoded."""
    try:
        strict_json.check(body, limits.json_depth, limits.json_items)
    except strict_json.BadJson as bad:
        raise _refused(bad) from None


def _refused(bad: strict_json.BadJson) -> Refused:
    if bad.code == strict_json.DUPLICATE:
        return invalid(bad.field, f"`{bad.field}` {bad.why}; give it once.", bad.code)
    return invalid(None, f"The {bad.field} {bad.why}.", bad.code)
