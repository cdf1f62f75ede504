"""What somebody asks of an asset's label, over what it has by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inland.domain.errors import BadInput
from inland.domain.labels import (
    Classification,
    Label,
    Purpose,
    canonical,
    loosened,
    own_label,
)
from inland.domain.lineage import Parent, derived
from inland.plant.labels import checked_label

MAX_RETENTION_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class AssetTerms:
    """Fields of a label; None leaves one as it is. `for_ever`: no retention any more."""

    jurisdictions: tuple[str, ...] | None = None
    storage: tuple[str, ...] | None = None
    classification: Classification | None = None
    purposes: tuple[Purpose, ...] | None = None
    derived_purposes: tuple[Purpose, ...] | None = None
    retention_days: int | None = None
    for_ever: bool = False

    def over(self, label: Label) -> Label:
        """`label` with what is asked for, canonical. Raises BadInput."""
        days = label.retention_days if self.retention_days is None else self.retention_days
        if days is not None and not 0 < days <= MAX_RETENTION_DAYS:
            raise BadInput("retention_days", f"give 1 to {MAX_RETENTION_DAYS}")
        kept = self.classification, self.purposes, self.derived_purposes
        return canonical(
            replace(
                label,
                jurisdictions=_codes(self.jurisdictions) or label.jurisdictions,
                storage=_codes(self.storage) or label.storage,
                classification=label.classification if kept[0] is None else kept[0],
                purposes=label.purposes if kept[1] is None else kept[1],
                derived_purposes=label.derived_purposes if kept[2] is None else kept[2],
                retention_days=None if self.for_ever else days,
            )
        )

    def of_new(self, tenant: Label, parents: Sequence[Parent]) -> Label:
        """The label of a new asset: its tenant's own, or what its parents all allow and no more.

        Raises BadInput, Clash, NotFound.
        """
        if not parents:
            return self.over(own_label(tenant))
        most = derived(tenant.owner, parents)
        label = self.over(most)
        for more in loosened(label, most):
            why = f"its parents allow {more.was}: ask for no more, or loosen their labels first"
            raise BadInput(more.field, why)
        return label


def _codes(codes: tuple[str, ...] | None) -> tuple[str, ...]:
    return () if codes is None else checked_label("", codes).jurisdictions
