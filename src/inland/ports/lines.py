"""The tables behind lines. Written by `lines/` and nobody else; no content of an asset is in them.

Bounded: of a line so many runs are kept, of a run so many log lines, the newest of each.
"""

from typing import Protocol

from inland.domain.lines import KeptLine, LogLine, Run, Step, StepKind


class LineTables(Protocol):
    """One transaction's view of the lines. `put_*` inserts or replaces by id."""

    def lines(self, tenant: str | None = None) -> list[KeptLine]:
        """All, or a tenant's, by tenant and name."""
        ...

    def line(self, tenant: str, name: str) -> KeptLine | None: ...

    def put_line(self, kept: KeptLine) -> None: ...

    def remove_line(self, tenant: str, name: str) -> None:
        """With its runs that are over, their steps and logs."""
        ...

    def runs(self, tenant: str | None, line: str | None, limit: int) -> list[Run]:
        """The newest first."""
        ...

    def under_way(self) -> list[Run]:
        """Those that are RUNNING, the oldest first."""
        ...

    def run(self, run: str) -> Run | None: ...

    def put_run(self, run: Run) -> None: ...

    def forget_runs(self, tenant: str, line: str, keep: int) -> None:
        """All but the newest `keep` of those that are over, their steps and logs too."""
        ...

    def steps(self, run: str) -> dict[StepKind, Step]: ...

    def put_step(self, step: Step) -> None: ...

    def remove_step(self, run: str, kind: StepKind) -> None: ...

    def done_before(self, tenant: str, line: str, digest: str) -> Step | None:
        """The newest step of a line's runs that was done with inputs of that digest."""
        ...

    def log(self, run: str, unix_us: int, step: str, text: str, keep: int) -> None:
        """Add a line; of the run the newest `keep` stay."""
        ...

    def logs(self, run: str, after: int, limit: int) -> list[LogLine]:
        """Those with a number beyond `after`, in order."""
        ...
