"""A request's headers, read once: what frames the body, who asks, and how long it all is.

The parser refuses most of what could be read two ways; what is refused here does not rest on that.
"""

from inland.gateway.errors import INVALID, Refused, bad_request

#: More digits than any length that could be accepted.
_DIGITS = 18
_NOTED = frozenset({b"authorization", b"content-length", b"expect", b"transfer-encoding"})
_BLANKS = b" \t"


class Head:
    """`headers` with names in lower case. `length`: None where chunks tell. `size`: in bytes."""

    __slots__ = ("authorization", "expects", "headers", "length", "size")

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.authorization: bytes | None = None
        self.length: int | None = 0
        self.expects = False
        self.headers = []
        self.size = 0
        framing = None
        for raw, value in headers:
            name = raw.lower()
            self.headers.append((name, value))
            self.size += len(name) + len(value)
            if name in _NOTED:
                if name in {b"content-length", b"transfer-encoding"}:
                    if framing is not None:
                        raise bad_request("The body's length is told twice.")
                    framing = name
                self._note(name, value)

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"authorization":
            if self.authorization is not None:
                raise bad_request("Two Authorization headers.")
            self.authorization = value
        elif name == b"content-length":
            self.length = _length(value.strip(_BLANKS))
        elif name == b"expect":
            if value.lower() != b"100-continue":
                raise Refused(417, INVALID, "expectation", "Only 100-continue can be expected.")
            self.expects = True
        elif value.lower() == b"chunked":
            self.length = None
        else:
            raise Refused(501, INVALID, "transfer_encoding", "Only chunked is understood.")


def _length(digits: bytes) -> int:
    if not digits.isdigit():
        raise bad_request("Content-Length is not a number.")
    return int(digits) if len(digits) <= _DIGITS else 1 << 62
