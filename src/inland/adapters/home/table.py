"""One table of a TOML file, taken apart field by field; what nobody asked for is refused."""

from enum import StrEnum
from typing import Any, TypeVar

from inland.domain.errors import BadInput
from inland.domain.ids import is_name

#: Longest text or list a field may hold.
TEXT_LIMIT = 4096
LIST_LIMIT = 1024

_Choice = TypeVar("_Choice", bound=StrEnum)


class Table:
    """`spot` names it in errors; every read takes the field out, so `done` sees what is left."""

    def __init__(self, spot: str, raw: dict[str, Any]) -> None:
        self.spot = spot
        self._left = dict(raw)

    def done(self) -> None:
        """Raise BadInput when a field is left that no one knows."""
        for name in self._left:
            raise BadInput(self.spot, f"there is no setting {name}")

    def table(self, name: str) -> "Table":
        """The table below `name`; an empty one when it is missing."""
        raw = self._take(name, {})
        if not isinstance(raw, dict):
            raise BadInput(self.spot, f"{name} must be a table: [{name}]")
        return Table(name, raw)

    def tables(self, name: str) -> list["Table"]:
        """The array of tables below `name`, each named in errors by its own name."""
        raw = self._take(name, [])
        if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
            raise BadInput(self.spot, f"{name} must be a list of tables: [[{name}]]")
        self._bound(name, len(raw), LIST_LIMIT)
        return [
            Table(f"{name} {item.get('name', number + 1)}", item) for number, item in enumerate(raw)
        ]

    def text(self, name: str, default: str | None = None) -> str:
        """A text; required when there is no default."""
        value = self._take(name, default)
        if not isinstance(value, str) or (default is None and not value):
            raise BadInput(self.spot, f"{name} must be a text")
        self._bound(name, len(value), TEXT_LIMIT)
        return value

    def name(self, name: str) -> str:
        """A required text that may name a tenant, a model or a deployment."""
        value = self.text(name)
        if not is_name(value):
            raise BadInput(
                self.spot, f"{value!r} is no name: a-z, 0-9, inside also . _ -, at most 63"
            )
        return value

    def texts(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of texts without repeats."""
        value = self._take(name, list(default))
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise BadInput(self.spot, f"{name} must be a list of texts")
        self._bound(name, len(value), LIST_LIMIT)
        return tuple(dict.fromkeys(value))

    def flag(self, name: str) -> bool:
        """true or false; false when missing."""
        value = self._take(name, default=False)
        if not isinstance(value, bool):
            raise BadInput(self.spot, f"{name} must be true or false")
        return value

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number within bounds."""
        value = self._take(name, default)
        if type(value) is not int or not least <= value <= most:
            raise BadInput(self.spot, f"{name} must be a whole number between {least} and {most}")
        return value

    def optional_whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number within bounds, or None when missing."""
        return self.whole(name, least, least, most) if name in self._left else None

    def choice(self, name: str, choices: type[_Choice], default: _Choice) -> _Choice:
        """One of a closed set of words."""
        return self._word(name, choices, self._take(name, default.value))

    def choices(
        self, name: str, choices: type[_Choice], default: tuple[_Choice, ...]
    ) -> tuple[_Choice, ...]:
        """Several of a closed set of words."""
        words = self.texts(name, tuple(word.value for word in default))
        return tuple(self._word(name, choices, word) for word in words)

    def rest(self) -> dict[str, Any]:
        """All that is left, for a table that is checked elsewhere."""
        left, self._left = self._left, {}
        return left

    def _take(self, name: str, default: Any) -> Any:
        return self._left.pop(name, default)

    def _word(self, name: str, choices: type[_Choice], word: object) -> _Choice:
        try:
            return choices(word)  # type: ignore[arg-type]  # a wrong type is refused like a wrong word
        except ValueError:
            known = ", ".join(choices)
            raise BadInput(self.spot, f"{name} has {word!r}; it may be {known}") from None

    def _bound(self, name: str, size: int, limit: int) -> None:
        if size > limit:
            raise BadInput(self.spot, f"{name} is longer than {limit}")
