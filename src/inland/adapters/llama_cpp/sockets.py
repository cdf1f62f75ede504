"""Where one engine process listens: for text on its replica's address, for vectors beside it.

Two servers in one process share the weights. Apart, because a text that was embedded stays in the
slot it was given, which the engine chooses, and whoever is served there next could tell.
"""

from pathlib import PurePath

_TEXT, _VECTORS = "engine-", "vector-"


def vectors_beside(address: str) -> str:
    """The address for vectors of the replica at `address`, no longer than that for one of ours."""
    path = PurePath(address)
    return str(path.with_name(_VECTORS + path.name.removeprefix(_TEXT)))
