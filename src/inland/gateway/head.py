"""A request's headers, read once: what frames the body, who asks, and how long it all is."""

from inland.gateway.errors import INVALID, Refused, bad_request

#: More digits than any length that could be accepted.
_DIGITS = 18
_NOTED = frozenset({b"authorization", b"content-length", b"expect", b"transfer-encoding"})


class Head:
    """`headers` with names in lower case. `length`: None where chunks tell. `size`: in bytes."""

    __slots__ = ("authorization", "chunked", "expects", "headers", "length", "size")

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.authorization: bytes | None = None
        self.length: int | None = 0
        self.expects = self.chunked = False
        self.headers = []
        self.size = 0
        for raw, value in headers:
            name = raw.lower()
            self.headers.append((name, value))
            self.size += len(name) + len(value)
            if name in _NOTED:
                self._note(name, value)
        if self.chunked:
            self.length = None

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"authorization":
            if self.authorization is not None:
                raise bad_request("Two Authorization headers.")
            self.authorization = value
        elif name == b"content-length":
            self.length = int(value) if value.isdigit() and len(value) <= _DIGITS else 1 << 62
        elif name == b"expect":
            self.expects = value.lower() == b"100-continue"
        elif value.lower() == b"chunked":
            self.chunked = True
        else:
            raise Refused(501, INVALID, "transfer_encoding", "Only chunked is understood.")
