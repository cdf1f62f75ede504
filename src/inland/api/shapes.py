"""What callers send and are shown, as types: no field beyond those that are named."""

from typing import Self

from pydantic import BaseModel, ConfigDict

from inland.domain.labels import Classification, Label, Purpose
from inland.domain.places import Known, Place


class Shape(BaseModel):
    """A JSON object of `/factory/v1`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PlaceView(Shape):
    """Where work is done: country codes of where it stands and who operates it."""

    id: str
    stands: str
    operated: str
    known: Known

    @classmethod
    def of(cls, place: Place) -> Self:
        """A place as it is shown."""
        return cls(id=place.id, stands=place.stands, operated=place.operated, known=place.known)


class LabelView(Shape):
    """A sovereignty label. `storage`: where it may be stored, null for the same."""

    jurisdictions: list[str]
    storage: list[str] | None = None
    classification: Classification
    purposes: list[Purpose]

    @classmethod
    def of(cls, label: Label) -> Self:
        """A label as it is shown."""
        return cls(
            jurisdictions=list(label.jurisdictions),
            storage=None if label.storage is None else list(label.storage),
            classification=label.classification,
            purposes=list(label.purposes),
        )
