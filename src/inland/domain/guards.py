"""Guards: what is looked for in what tenants send and are answered, and what is done about it."""

from dataclasses import dataclass
from enum import StrEnum

#: How long what a classifier is asked about may be put, in characters.
CATEGORY_CHARACTERS = 200


class Act(StrEnum):
    """What is done about what was found."""

    __hash__ = str.__hash__

    BLOCK = "block"  # a request is refused, an answer ends before it
    REDACT = "redact"  # it is replaced
    NOTE = "note"  # it is counted in the record, no more


class Side(StrEnum):
    """Where it is looked for."""

    __hash__ = str.__hash__

    INPUT = "input"  # before the engine
    OUTPUT = "output"  # after it


@dataclass(frozen=True, slots=True)
class Question:
    """Asked of a classifier: whether a text has something of `category`, in words.

    `deployment`: which of this factory's is asked. `fails_open`: where it gives no answer, the text
    goes on as if it had been clean.
    """

    deployment: str
    category: str
    fails_open: bool = False


@dataclass(frozen=True, slots=True)
class Guard:
    """One rule of what is looked for. `name` is what records and refusals call it.

    `finds`: recognisers; `patterns`: regular expressions; `asks`: what a classifier is asked.
    `deployment`, `tenant`: None is any; nothing is asked about what the classifier itself is sent.
    """

    name: str
    act: Act
    finds: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    on: tuple[Side, ...] = (Side.INPUT, Side.OUTPUT)
    deployment: str | None = None
    tenant: str | None = None
    declared: bool = False
    asks: Question | None = None

    @property
    def looks(self) -> bool:
        """Whether it looks at texts itself."""
        return bool(self.finds or self.patterns)

    def asks_about(self, deployment: str) -> bool:
        """Whether its classifier, where it has one, is asked about that deployment's texts."""
        return self.asks is not None and self.asks.deployment != deployment

    @property
    def fails_closed(self) -> bool:
        """Whether nothing goes on while its classifier gives no answer."""
        return self.act is Act.BLOCK and self.asks is not None and not self.asks.fails_open

    def applies(self, deployment: str, tenant: str) -> bool:
        """Whether it is about what `tenant` asks of `deployment`."""
        return self.deployment in {None, deployment} and self.tenant in {None, tenant}
