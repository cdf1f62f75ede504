"""`/v1/models`: what a key may know of, deployments and its tenant's own releases, and what that
supports, in OpenAI's shape."""

from typing import Any

import msgspec

from inland.domain.capabilities import Known
from inland.domain.plant import Key
from inland.gateway.errors import no_such_model
from inland.gateway.rulings import Ruling, Rulings

LIST = b"/v1/models"
ONE = b"/v1/models/"


def listing(rulings: Rulings, key: Key) -> bytes:
    """All that `key` may know of, by name."""
    found = [_visible(rulings, key, name) for name in rulings.names(key)]
    return msgspec.json.encode(
        {"object": "list", "data": [_shown(ruling) for ruling in found if ruling is not None]}
    )


def one(rulings: Rulings, key: Key, name: str) -> bytes:
    """One of them. Raises Refused: unknown and not visible are the same 404."""
    ruling = _visible(rulings, key, name)
    if ruling is None:
        raise no_such_model(name)
    return msgspec.json.encode(_shown(ruling))


def _visible(rulings: Rulings, key: Key, name: str) -> Ruling | None:
    ruling = rulings.of(key, name)
    return ruling if ruling is not None and ruling.verdict.visible else None


def _shown(ruling: Ruling) -> dict[str, Any]:
    whose = ruling.adapter or ruling.model
    owner = whose.label.owner if whose is not None else ""
    name = ruling.name
    features = [feature.value for feature, known in ruling.supports.items() if known is Known.YES]
    return {"id": name, "object": "model", "created": 0, "owned_by": owner, "features": features}
