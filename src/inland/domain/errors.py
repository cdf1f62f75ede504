"""What can go wrong, as facts. Text for people is made from these at the edge."""

from dataclasses import dataclass


class InlandError(Exception):
    """Root of every error Inland raises on purpose."""


@dataclass
class BadInput(InlandError):
    """Something the caller sent is wrong: `field` names it, `why` says how to mend it."""

    field: str
    why: str

    def __str__(self) -> str:
        return f"{self.field}: {self.why}"


@dataclass
class NotFound(InlandError):
    """`what` does not exist, or the caller may not know that it does: the two look the same."""

    what: str

    def __str__(self) -> str:
        return f"no such {self.what}"


@dataclass
class Conflict(InlandError):
    """The change does not fit what is already there (a name taken, something declared)."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


@dataclass
class Denied(InlandError):
    """Policy or role said no. `rules`: the policy ids that decided, none where none allowed it."""

    what: str
    rules: tuple[str, ...]
    remedy: str

    def __str__(self) -> str:
        by = ", ".join(self.rules) if self.rules else "no rule allows it"
        return f"{self.what} refused ({by}); {self.remedy}"


@dataclass
class Busy(InlandError):
    """Not now: come back after `retry_after_s` seconds."""

    why: str
    retry_after_s: int

    def __str__(self) -> str:
        return f"{self.why}; retry in {self.retry_after_s} s"


@dataclass
class Damaged(InlandError):
    """Something durable does not read back as it was written. Never skipped."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"
