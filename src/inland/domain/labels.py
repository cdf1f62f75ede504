"""Sovereignty labels: what may be done with an asset, or with all a tenant sends, and where."""

from dataclasses import dataclass
from enum import StrEnum

from inland.domain.places import WORLD


class Purpose(StrEnum):
    """What an asset may be used for; each is an action the policy engine decides."""

    SERVE = "serve"
    TRAIN = "train"
    EVALUATE = "evaluate"
    RETRIEVE = "retrieve"
    EXPORT = "export"


class Classification(StrEnum):
    """How sensitive an asset is, lowest first."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    SECRET = "secret"


#: The owner of what belongs to the factory itself (public weights, declared upstreams).
FACTORY = "factory"
#: In `shared_with`: every tenant.
EVERYONE = "*"


@dataclass(frozen=True, slots=True)
class Label:
    """An asset's or a tenant's label. `jurisdictions`: where it may be stored and processed."""

    owner: str
    jurisdictions: tuple[str, ...]
    classification: Classification = Classification.INTERNAL
    purposes: tuple[Purpose, ...] = (Purpose.SERVE,)
    derived_purposes: tuple[Purpose, ...] = ()
    retention_days: int | None = None


def public_label() -> Label:
    """The label of public weights that belong to nobody here: served anywhere."""
    return Label(FACTORY, (WORLD,), Classification.PUBLIC, tuple(Purpose), tuple(Purpose))
