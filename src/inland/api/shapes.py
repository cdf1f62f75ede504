"""What callers send and are shown, as types: no field beyond those that are named."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from inland.domain.labels import Classification, Label, Purpose
from inland.domain.places import Known, Place

#: What JSON has of its own; pydantic would take "1" for one, and 0 for false.
_OF_JSON = ("bool", "int", "float")


def _be_strict(schema: Any) -> None:
    """In place, wherever it says a number or a truth value."""
    if isinstance(schema, dict):
        if schema.get("type") in _OF_JSON:
            schema["strict"] = True
        for part in schema.values():
            _be_strict(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            _be_strict(part)


class Shape(BaseModel):
    """A JSON object of `/factory/v1`: of each kind what JSON writes so, and nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """As pydantic makes it, but strict where it would take another kind."""
        schema = handler(source)
        _be_strict(schema)
        return schema


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
