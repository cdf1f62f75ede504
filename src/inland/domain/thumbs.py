"""What is said of an answer in one word, and how many said it. It is no content."""

from dataclasses import dataclass
from enum import StrEnum


class Thumbs(StrEnum):
    """Whether the answer was a good one."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Thumb:
    """Of which answers how many were good."""

    ups: int = 0
    all: int = 0


#: Nobody said anything.
NO_THUMB = Thumb()
