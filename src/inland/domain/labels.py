"""Sovereignty labels: what may be done with an asset, or with all a tenant sends, and where.

Labels of one owner form a lattice: `meet` is what two of them both allow, `loosened` says in what a
change allows more. Places are compared by the countries they cover, never by their codes.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from inland.domain.places import WORLD, canonical_codes, common_codes, includes


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

_RANK = {classification: rank for rank, classification in enumerate(Classification)}


@dataclass(frozen=True, slots=True)
class Label:
    """An asset's or a tenant's label. `jurisdictions`: where it may be processed; `storage`: where
    it may be stored, None for the same. `derived_purposes`: what may be done with what is made of
    it. `retention_days`: when it is erased, None for never."""

    owner: str
    jurisdictions: tuple[str, ...]
    classification: Classification = Classification.INTERNAL
    purposes: tuple[Purpose, ...] = (Purpose.SERVE,)
    derived_purposes: tuple[Purpose, ...] = ()
    retention_days: int | None = None
    storage: tuple[str, ...] | None = None

    @property
    def stored_in(self) -> tuple[str, ...]:
        """Where it may be stored."""
        return self.jurisdictions if self.storage is None else self.storage


class Loosening(NamedTuple):
    """A field of a label that allows more than before."""

    field: str
    was: str
    now: str


def public_label() -> Label:
    """The label of public weights that belong to nobody here: served anywhere."""
    return Label(FACTORY, (WORLD,), Classification.PUBLIC, tuple(Purpose), tuple(Purpose))


def own_label(tenant: Label) -> Label:
    """The label of a tenant's own asset unless told otherwise: for every purpose, inside the
    borders of the tenant's own label, no less classified, and kept no longer."""
    return replace(tenant, purposes=tuple(Purpose), derived_purposes=tuple(Purpose))


def canonical(label: Label) -> Label:
    """The one way to write what a label says; equal where two labels allow the same."""
    processed = canonical_codes(label.jurisdictions)
    stored = canonical_codes(label.stored_in)
    return replace(
        label,
        jurisdictions=processed,
        storage=None if stored == processed else stored,
        purposes=_in_order(label.purposes),
        derived_purposes=_in_order(label.derived_purposes),
    )


def passed_on(label: Label) -> Label:
    """What a label says of what is made of its asset."""
    return replace(label, purposes=label.derived_purposes)


def meet(one: Label, other: Label) -> Label:
    """What two labels of one owner both allow, canonical; nothing, where they have nothing in
    common: fields may be empty."""
    assert one.owner == other.owner, "an owner's label says nothing for another owner"
    kept = [days for days in (one.retention_days, other.retention_days) if days is not None]
    return canonical(
        Label(
            one.owner,
            common_codes(one.jurisdictions, other.jurisdictions),
            max(one.classification, other.classification, key=_RANK.__getitem__),
            tuple(p for p in one.purposes if p in other.purposes),
            tuple(p for p in one.derived_purposes if p in other.derived_purposes),
            min(kept, default=None),
            common_codes(one.stored_in, other.stored_in),
        )
    )


def loosened(new: Label, old: Label) -> tuple[Loosening, ...]:
    """In what `new` allows more than `old`, field by field; empty where it only tightens."""
    wider = {
        "owner": new.owner != old.owner,
        "jurisdictions": not includes(old.jurisdictions, new.jurisdictions),
        "storage": not includes(old.stored_in, new.stored_in),
        "classification": _RANK[new.classification] < _RANK[old.classification],
        "purposes": not set(new.purposes) <= set(old.purposes),
        "derived_purposes": not set(new.derived_purposes) <= set(old.derived_purposes),
        "retention_days": _days(new) > _days(old),
    }
    was, now = _told(canonical(old)), _told(canonical(new))
    return tuple(Loosening(name, was[name], now[name]) for name, more in wider.items() if more)


def is_tighter(new: Label, old: Label) -> bool:
    """Whether `new` allows nothing that `old` does not."""
    return not loosened(new, old)


def _in_order(purposes: tuple[Purpose, ...]) -> tuple[Purpose, ...]:
    return tuple(purpose for purpose in Purpose if purpose in purposes)


def _days(label: Label) -> float:
    return float("inf") if label.retention_days is None else label.retention_days


def _told(label: Label) -> dict[str, str]:
    """Each field as people read it."""
    days = label.retention_days
    return {
        "owner": label.owner,
        "jurisdictions": " ".join(label.jurisdictions) or "none",
        "storage": " ".join(label.stored_in) or "none",
        "classification": label.classification.value,
        "purposes": " ".join(label.purposes) or "none",
        "derived_purposes": " ".join(label.derived_purposes) or "none",
        "retention_days": "for ever" if days is None else str(days),
    }
