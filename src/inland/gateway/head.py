"""A request's headers, read once: what frames the body, who asks, and how long it all is.

The parser refuses most of what could be read two ways; what is refused here does not rest on that.
"""

from inland.domain.limits import Limits
from inland.gateway.dialect.routes import body_too_large
from inland.gateway.errors import INVALID, Refused, bad_request

#: More digits than any length that could be accepted.
_DIGITS = 18
_NOTED = frozenset({b"authorization", b"content-length", b"expect", b"transfer-encoding"})
#: What differs between requests of one client, and is read each time.
_VARYING = frozenset({b"authorization", b"content-length"})
_VERSIONS = frozenset({"1.0", "1.1"})
_BLANKS = b" \t"

Headers = list[tuple[bytes, bytes]]


class Head:
    """`headers` with names in lower case. `length`: None where chunks tell. `size`: in bytes.

    A connection keeps the one it read last: a client sends the same again, but for the length and
    its key, and what was found of the rest holds (`is_like`).
    """

    __slots__ = ("_at", "_steady", "authorization", "expects", "headers", "length", "size")

    def __init__(self, headers: Headers) -> None:
        self.authorization: bytes | None = None
        self.length: int | None = 0
        self.expects = False
        self.headers: Headers = []
        self.size = 0
        self._at: list[tuple[int, bytes]] = []
        self._steady: Headers = []
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
            if name in _VARYING:
                self._at.append((len(self.headers) - 1, raw))
            else:
                self._steady.append((raw, value))

    def is_like(self, headers: Headers) -> bool:
        """Whether `headers` are those it was made of, but for the length and the key.

        Then it is theirs from now on. One key is never compared with another. Raises Refused.
        """
        at = self._at
        if len(headers) != len(self._steady) + len(at):
            return False
        steady = headers.copy()
        for index, raw in reversed(at):
            if steady.pop(index)[0] != raw:
                return False
        if steady != self._steady:
            return False
        self.headers = self.headers.copy()
        for index, _ in at:
            (name, before), (_, value) = self.headers[index], headers[index]
            self.size += len(value) - len(before)
            self.headers[index] = (name, value)
            if name == b"authorization":
                self.authorization = value
            else:
                self.length = _length(value.strip(_BLANKS))
        return True

    def check(self, version: str, target: bytes, limits: Limits) -> None:
        """Hold it, and what it asks for, to the limits. Raises Refused."""
        if version not in _VERSIONS or (self.length is None and version != "1.1"):
            raise bad_request("That is not HTTP/1.1 as RFC 9112 has it.")
        if len(self.headers) > limits.headers:
            raise Refused(431, INVALID, "too_many_headers", "Too many headers.")
        if self.size + len(target) > limits.header_bytes:
            raise Refused(431, INVALID, "headers_too_large", "The headers are too large.")
        if len(target) > limits.target_bytes:
            raise Refused(414, INVALID, "target_too_long", "The path and query are too long.")
        if not target.startswith(b"/") or b"#" in target:
            raise bad_request("The target must be a path.")
        if self.length is not None and self.length > limits.body_bytes:
            raise body_too_large(target, limits.body_bytes)

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
