"""What `ledger check` looked at and what it found wrong."""

from dataclasses import dataclass, field, fields

#: Findings kept in words; beyond these they are only counted.
MAX_FINDINGS = 1000


@dataclass(slots=True)
class Report:
    """Counts of what was re-read, and `findings`: a line each, none when the books are good.

    `destroyed` are records that are no more, as the books say. `unbooked` are records that journals
    hold beyond what was booked: not wrong, only not yet done.
    """

    records: int = 0
    destroyed: int = 0
    tenant_batches: int = 0
    batches: int = 0
    log_entries: int = 0
    tiles: int = 0
    journal_frames: int = 0
    unbooked: int = 0
    findings: list[str] = field(default_factory=list)
    more_findings: int = 0

    @property
    def good(self) -> bool:
        """Whether everything agrees."""
        return not self.findings

    def find(self, where: str, what: str) -> None:
        """Note something wrong."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(f"{where}: {what}")
        else:
            self.more_findings += 1

    def take(self, other: "Report") -> None:
        """Add what another report found, and what it counted."""
        for each in fields(self):
            if each.name != "findings":
                setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        room = max(MAX_FINDINGS - len(self.findings), 0)
        self.findings += other.findings[:room]
        self.more_findings += len(other.findings[room:])

    def demand(self, holds: bool, where: str, what: str) -> None:  # noqa: FBT001 - reads as prose
        """Note `what` unless it holds."""
        if not holds:
            self.find(where, what)
