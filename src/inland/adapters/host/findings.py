"""What is good or wrong about a machine or a home, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How a finding is meant: `WARN` works for now, `BAD` does not or will not for long."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `told`: what was found; `remedy`: what to do, empty when good."""

    what: str
    health: Health
    told: str
    remedy: str = ""


def good(what: str, told: str) -> Finding:
    """Nothing to do."""
    return Finding(what, Health.GOOD, told)
