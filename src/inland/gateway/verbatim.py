"""A request whose head came before on its connection, byte for byte but for the length of its body.

A client writes the same head for each of its requests. All that the parser and `Head` say of one
follows from its bytes, and neither remembers anything from one request to the next, so what was
said of it is said again. Anything else is parsed.
"""

import re
from hmac import compare_digest

from msgspec.structs import replace

from inland.gateway.exchange import Incoming
from inland.gateway.keys import shown

#: Digits of a length that is looked at here; what is longer is parsed.
LENGTH_DIGITS = 9
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,%d})\r\n" % LENGTH_DIGITS, re.IGNORECASE)
_END = b"\r\n\r\n"


class Verbatim:
    """The bytes of a head, and what was understood of it."""

    __slots__ = ("_after", "_at", "_before", "_length", "_said")

    def __init__(self, head: bytes, digits: tuple[int, int], said: Incoming) -> None:
        """`digits`: where those of the body's length begin and end in `head`."""
        self._at, end = digits
        self._before, self._length, self._after = head[: self._at], head[self._at : end], head[end:]
        self._said = said

    @property
    def target(self) -> bytes:
        return self._said.target

    def size(self, data: bytes) -> tuple[int, int] | None:
        """How long this head is in `data`, and the body behind it; None where it is another."""
        at, after = self._at, self._after
        end = data.find(b"\r", at, at + LENGTH_DIGITS + 1)
        digits, start = data[at:end], end + len(after)
        if end < 0 or not digits.isdigit():
            return None
        # A key is among these bytes: how long this takes does not say where they differ.
        if not compare_digest(data[:at], self._before):
            return None
        if not compare_digest(data[end:start], after):
            return None
        return start, int(digits)

    def again(self, data: bytes, start: int) -> Incoming:
        """The request that all of `data` is; its body begins at `start`."""
        said = self._said
        headers, length = said.headers, data[self._at : start - len(self._after)]
        if length != self._length:
            headers = [(name, length if name == b"content-length" else v) for name, v in headers]
        return Incoming(
            said.method,
            said.target,
            headers,
            said.authorization,
            data[start:],
            said.keep_alive,
            said.chunks,
            said.source,
            said.shown,
        )


def verbatim(data: bytes, said: Incoming) -> Verbatim | None:
    """What tells `said` again, which the parser made of `data`, its body yet to come or all there;
    None where that is not all of it, or where no length frames it."""
    end = data.find(_END) + len(_END)
    if end + len(said.body) != len(data):
        return None
    found = _LENGTH.search(data, 0, end)
    if found is None:
        return None
    known = replace(said, body=b"", shown=shown(said.authorization))
    return Verbatim(data[:end], found.span(1), known)
