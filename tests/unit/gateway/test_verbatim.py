"""A request whose head came before is taken in without the parser, and nothing else is."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inland.gateway.protocol import Connection
from tests.fuzz.targets import LIMITS, Desk, Transport

TARGETS = [b"/v1/chat/completions", b"/v1/chat/completions", b"/v1/models?a"]
HEADERS = [
    b"Host: x",
    b"Host: x",
    b"Accept: */*",
    b"Connection: keep-alive",
    b"Connection: close",
    b"Expect: 100-continue",
    b"X-Content-Length: 3",
    b"X: a",
]
KEYS = [b"Authorization: Bearer a", b"Authorization: Bearer a", b"Authorization: Bearer b"]
#: How a length may be written: as it is, wrongly, in other digits, twice, or not at all.
LENGTHS = [b"%d"] * 9 + [b" %d", b"%d ", b"0%d", b"-%d", b"%d0", b"%d\r\nContent-Length: %d", b""]


@st.composite
def asked(draw: Any) -> list[bytes]:
    """Requests of one connection, most of them like the one before."""
    head = [draw(st.sampled_from(TARGETS)), *draw(st.lists(st.sampled_from(HEADERS), max_size=3))]
    requests, at = [], draw(st.integers(1, len(head)))
    for _ in range(draw(st.integers(3, 7))):
        if draw(st.integers(0, 5)) == 0:
            at = draw(st.integers(1, len(head)))
        if draw(st.integers(0, 3)) == 0 and len(head) > 1:
            head = [*head]
            head[draw(st.integers(1, len(head) - 1))] = draw(st.sampled_from(HEADERS))
        body = draw(st.sampled_from([b"", b"{}", b"x" * 11, b"y" * 150, b"z" * 2049]))
        length = draw(st.sampled_from(LENGTHS)).replace(b"%d", b"%d" % len(body))
        key = draw(st.sampled_from(KEYS))
        lines = [b"POST %b HTTP/1.1" % head[0], *head[1:], key]
        if length:
            lines.insert(at, b"Content-Length: " + length)
        one = bytearray(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        if draw(st.integers(0, 9)) == 0:  # any byte of it may be another
            one[draw(st.integers(0, len(one) - 1))] = draw(st.integers(0, 255))
        requests.append(bytes(one))
    return requests


def heard(reads: list[bytes]) -> tuple[list[Any], bytes, bool]:
    """What a connection makes of what it reads."""
    desk, transport = Desk(), Transport()
    connection = Connection(desk)
    connection.connection_made(transport)
    for read in reads:
        connection.data_received(read)
    told = (desk.asked, transport.written, transport.closed)
    connection.connection_lost(None)
    assert desk.receiving_bytes == 0
    return told


def _reads(request: bytes, cuts: int) -> list[bytes]:
    """A request in one read, or its head in one of its own, and the body in up to two."""
    if cuts == 0:
        return [request]
    head = request.find(b"\r\n\r\n") + 4
    reads = [request[:head], request[head:]] if cuts < 3 else [request[:cuts], request[cuts:]]
    if cuts == 2:
        reads[1:] = [reads[1][:5], reads[1][5:]]
    return [one for one in reads if one]


@settings(max_examples=600)
@given(asked(), st.data())
def test_requests_in_few_reads_are_taken_as_byte_by_byte(requests: list[bytes], data: Any) -> None:
    cuts = st.sampled_from([0, 0, 0, 1, 1, 2, 40, 160])
    usual = data.draw(cuts)
    reads: list[bytes] = []
    for one in requests:
        few = _reads(one, usual if data.draw(st.integers(0, 4)) else data.draw(cuts))
        if reads and data.draw(st.integers(0, 7)) == 0:
            reads[-1] += few.pop(0)
        reads += few
    whole = heard(reads)
    in_bytes = [bytes([byte]) for one in requests for byte in one]
    asked_for, written, closed = heard(in_bytes)
    assert whole[0] == asked_for
    assert whole[2] == closed
    finals = [text.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"") for text in (whole[1], written)]
    assert finals[0] == finals[1]


class _Counted:
    """A parser that says how often it is fed."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser
        self.fed = 0

    def feed_data(self, data: bytes) -> None:
        self.fed += 1
        self._parser.feed_data(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)


def _asked(body: bytes, head: bytes = b"", key: bytes = b"a") -> bytes:
    lines = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n%bAuthorization: Bearer %b\r\n"
    return lines % (head, key) + b"content-length: %d\r\n\r\n%b" % (len(body), body)


def fed(reads: list[bytes], desk: Desk | None = None) -> int:
    """How often a connection asks its parser while it reads these."""
    connection: Any = Connection(desk or Desk())
    parser = connection._parser = _Counted(connection._parser)
    connection.connection_made(Transport())
    for read in reads:
        connection.data_received(read)
    return parser.fed


def test_from_the_third_on_the_parser_is_not_asked_whatever_the_length() -> None:
    assert fed([_asked(b"x" * size) for size in (3, 4, 1, 999, 0, 7)]) == 2


@pytest.mark.parametrize(
    "other",
    [
        _asked(b"{}", b"Accept: a\r\n"),
        _asked(b"{}", key=b"b"),
        _asked(b"{}")[:-1],
        _asked(b"{}") + b"G",
        _asked(b"{}").replace(b"h: 2", b"h: +"),
        _asked(b"{}").replace(b"h: 2\r\n", b"h: 2\r\n\r\n"),
        _asked(b"x" * (LIMITS.body_bytes + 1)),
    ],
)
def test_what_is_not_byte_for_byte_the_same_is_parsed(other: bytes) -> None:
    assert fed([_asked(b"{}")] * 9 + [other]) == 3


def test_a_head_and_its_body_may_come_apart() -> None:
    asked_for = [_asked(b"x" * size) for size in (3, 4, 1, 999, 0, 7)]
    assert fed([read for one in asked_for for read in _reads(one, 1)]) == 4
    broken = [read for one in asked_for for read in _reads(one, 2)]
    assert fed(broken) == 4 + 2 + 2  # a body that itself comes apart: parsed with its head


def test_of_two_requests_in_one_read_neither_is_told_for_the_other() -> None:
    one = _asked(b"{}")
    other = one.replace(b"/v1/", b"/v2/")
    asked_for, _, _ = heard([one, one + other, one, other])
    assert [target[2:3] for _, target, _, _ in asked_for] == [b"1", b"1", b"2", b"1", b"2"]


def test_a_body_that_does_not_follow_its_head_is_waited_for_no_longer_than_any() -> None:
    for times in (1, 4):
        desk, transport = Desk(), Transport()
        connection = Connection(desk)
        connection.connection_made(transport)
        for _ in range(times):
            connection.data_received(_asked(b"{}"))
        connection.data_received(_asked(b"{}").replace(b"/v1/", b"/factory/v1/"))
        connection.data_received(_asked(b"{}")[:-2])
        connection.sweep(LIMITS.body_s - 1)
        assert b" 408 " not in transport.written
        connection.sweep(LIMITS.body_s)
        assert transport.written.count(b" 408 ") == 1
        assert b"application/json" in transport.written
        assert len(desk.asked) == times + 1


@pytest.mark.parametrize("head", [b"Connection: close\r\n", b"Expect: 100-continue\r\n"])
def test_a_head_that_means_more_than_it_says_is_parsed_each_time(head: bytes) -> None:
    reads = [_asked(b"{}", head)] * 4
    assert fed(reads) == (4 if b"Expect" in head else 1)


def test_bodies_of_others_count_against_the_room_for_them() -> None:
    desk = Desk()
    desk.receiving_bytes = LIMITS.bodies_bytes - 2
    assert fed([_asked(b"")] * 4 + [_asked(b"xx")], desk) == 2
    assert fed([_asked(b"")] * 4 + [_asked(b"xxx")], desk) == 3
