"""Guards: what is looked for in what tenants send and are answered, and what is done about it."""

from dataclasses import dataclass
from enum import StrEnum


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
class Guard:
    """One rule of what is looked for. `name` is what records and refusals call it.

    `finds`: recognisers; `patterns`: regular expressions. `deployment`, `tenant`: None is any.
    """

    name: str
    act: Act
    finds: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    on: tuple[Side, ...] = (Side.INPUT, Side.OUTPUT)
    deployment: str | None = None
    tenant: str | None = None
    declared: bool = False

    def applies(self, deployment: str, tenant: str) -> bool:
        """Whether it is about what `tenant` asks of `deployment`."""
        return self.deployment in {None, deployment} and self.tenant in {None, tenant}
