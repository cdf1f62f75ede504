"""What a step is given, and what it comes to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from inland.domain.errors import InlandError
from inland.domain.lines import Line, Run, Step, StepKind


class Ended(InlandError):
    """The run was cancelled, or control stops: nothing more is to be done for it here."""


@dataclass(frozen=True, slots=True)
class Doing:
    """A step under way. `steps`: those that are done. `say`: a line of the run's log, never of
    content. `progress`: done, of how many, and what: a step that tells it waits no more. `go_on`
    raises Ended where it is to stop."""

    run: Run
    line: Line
    steps: Mapping[StepKind, Step]
    say: Callable[[str], None]
    progress: Callable[[int, int, str], None]
    go_on: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step came to: its outputs, plain JSON. `refused`: why no step may follow."""

    outputs: dict[str, Any]
    receipts: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A step goes on later, once something else has happened; nothing is held meanwhile. `what`: it
    waits for, told in the run's log where it is another than before; `how`: that goes."""

    what: str
    how: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.how}" if self.how else self.what


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that stands in the way. `about`: a field of the line, or what it names."""

    about: str
    why: str
    remedy: str = ""

    def __str__(self) -> str:
        told = f"{self.about}: {self.why}"
        return f"{told}; {self.remedy}" if self.remedy else told

    def facts(self) -> dict[str, str]:
        return {"about": self.about, "why": self.why, "remedy": self.remedy}


class StepWork(Protocol):
    """Does one kind of step. It may be begun again after a kill, and is where it waits: what it did
    before it does not matter, or it finds it by the run's id."""

    def __call__(self, doing: Doing, /) -> Outcome | Waiting: ...


#: By kind, those that this factory can do.
Kinds = dict[StepKind, StepWork]
