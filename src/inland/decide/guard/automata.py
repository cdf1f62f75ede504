"""RE2: regular expressions in linear time, whatever the text."""

from collections.abc import Iterator

import re2

from inland.domain.errors import BadInput

#: Memory that one expression may take, automata included, in bytes.
MEMORY_BYTES = 16 * 1024 * 1024


class Automaton:
    """One expression. Matches are the longest that begin the furthest to the left.

    What stands before where it is to begin is seen, as by the edge of a word.
    """

    __slots__ = ("_compiled",)

    def __init__(self, written: str) -> None:
        """Raises BadInput where RE2 refuses it."""
        options = re2.Options()
        options.longest_match = True
        options.never_capture = True
        options.log_errors = False
        options.max_mem = MEMORY_BYTES
        try:
            self._compiled = re2.compile(written, options)
        except re2.error as error:
            why = error.args[0]
            told = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
            raise BadInput("pattern", f"it cannot be used: {told}") from None

    def first(self, text: str, since: int) -> int | None:
        """Where the first match at or after `since` begins."""
        found = self._compiled.search(_plain(text), since)
        return None if found is None else found.start()

    def spans(self, text: str, since: int) -> Iterator[tuple[int, int]]:
        """Every match at or after `since`, none overlapping the one before."""
        return (found.span() for found in self._compiled.finditer(_plain(text), since))


def _plain(text: str) -> str | bytes:
    """Bytes where each is a character: nobody has to count them, which takes half the time."""
    return text.encode() if text.isascii() else text
