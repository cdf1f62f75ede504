"""`ports.intake` over one home: what an order names is brought in; what is kept of it is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inland.adapters.weights import bom
from inland.adapters.weights.shelf import Shelf
from inland.domain.errors import Damaged
from inland.domain.plant import Model
from inland.ports.intake import Arrived, Order, Progress, Provenance

if TYPE_CHECKING:
    from inland.adapters.egress.fetching import Fetcher


@dataclass(frozen=True, slots=True)
class Bringing:
    """Into the home of `shelf`; `fetcher` makes one that goes through the door."""

    shelf: Shelf
    isolation: str
    fetcher: "Callable[[], Fetcher]"

    def take(self, order: Order, progress: Progress) -> Arrived:
        """As the port says."""
        from inland.adapters.weights.intake import Intake  # noqa: PLC0415 - control starts without
        from inland.adapters.weights.sources.named import source_of  # noqa: PLC0415

        source = source_of(order, self.fetcher)
        return Intake(self.shelf, self.isolation).take(order, source, progress)

    def is_here(self, model: Model) -> bool:
        """As the port says."""
        return model.file is not None and (self.shelf.root / model.file).exists()

    def provenance(self, model: Model) -> Provenance:
        """As the port says; no weights are read."""
        sha256 = (model.digest or "").removeprefix("sha256:")
        try:
            if self.shelf.signed(model.id) != sha256:
                return Provenance("of other weights")
            told = bom.facts(self.shelf.verified_bom(model.id))
        except Damaged as error:
            return Provenance(error.why)
        parameters = int(told.get("parameters", "0"))
        return Provenance(
            "valid",
            told.get("source", ""),
            told.get("format", ""),
            parameters,
            told.get("inspected-under", ""),
        )
