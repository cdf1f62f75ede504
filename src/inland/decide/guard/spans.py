"""What was found in a folded text, and the text with masks in its place."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

#: Found: where it begins in a folded text, by which rule (its place among them), and where it ends.
#: There may be many: nothing dearer than a tuple.
Span = tuple[int, int, int]


class Spans(Protocol):
    """Some, in order."""

    def __len__(self) -> int:
        """How many."""

    def __iter__(self) -> Iterator[Span]:
        """Each."""

    def counts(self) -> dict[int, int]:
        """By rule, how many."""

    def masked(self, text: str, since: int, held: int, masks: Sequence[str]) -> tuple[str, int]:
        """`text` from `since` on and up to `held` with each rule's mask where it found something,
        and up to where something was found; as one where they overlap."""


class Few(list[Span]):
    """Told one by one."""

    def counts(self) -> dict[int, int]:
        """By rule, how many."""
        return Counter(of for _, of, _ in self)

    def masked(self, text: str, since: int, held: int, masks: Sequence[str]) -> tuple[str, int]:
        """`text` from `since` on and up to `held`, and up to where something was found."""
        out: list[str] = []
        at = since
        for start, of, end in self:
            if start >= at:
                out += text[at:start], masks[of]
            at = max(at, end)
        out.append(text[at:held])
        return "".join(out), at
