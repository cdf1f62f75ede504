"""Hostile callers against a whole factory: each reads the right answer, nobody else is harmed."""

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.factory.idle import hold, rss_mib
from tests.factory.running import MODEL, Running
from tests.hostile import SERVED, SMUGGLED, texts, wires
from tests.patience import PATIENCE_S, until

WIRES, TEXTS = wires(MODEL), texts(MODEL)
#: What the gateway's memory may grow by over all of a test's requests.
GROWTH_MIB = 48
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def speak(factory: Running, data: bytes, wait_s: float = PATIENCE_S) -> bytes:
    """Send all of `data` whatever comes back, then read to the end of the connection."""
    with socket.create_connection(("127.0.0.1", factory.port), timeout=wait_s) as one:
        one.sendall(data)
        return read(one)


def read(one: socket.socket) -> bytes:
    """Everything until the other side closes; a reset is what no caller may get here."""
    said = b""
    while more := one.recv(1 << 16):
        said += more
    return said


def key(factory: Running) -> bytes:
    return factory.keys["demo"].encode()


def last(factory: Running) -> bytes:
    """A request that closes the connection, so that its end is seen."""
    return (
        b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Authorization: Bearer %b\r\n\r\n" % key(factory)
    )


@contextlib.contextmanager
def served_meanwhile(factory: Running) -> Iterator[None]:
    """Another tenant asks all the time, and is answered each time."""
    ended = threading.Event()
    failed: list[int] = []
    answered: list[int] = []

    def ask() -> None:
        with factory.http("acme") as http:
            while not ended.is_set():
                got = http.get("/v1/models")
                (answered if got.status_code == 200 else failed).append(got.status_code)
                ended.wait(0.02)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert answered
    assert not failed


def test_every_hostile_request_gets_its_answer_and_nothing_is_smuggled(factory: Running) -> None:
    wrong = []
    before = rss_mib(factory.pid("gateway"))
    with served_meanwhile(factory):
        for name, case in WIRES.items():
            ends = last(factory) if case.status in {SERVED, 405} else SMUGGLED
            said = _STATUS.findall(speak(factory, case.request(key(factory)) + ends))
            closes = b"1.0" in case.first or b"upgrade" in name.encode()
            many = 2 if case.status in {SERVED, 405} and not closes else 1
            if said[:1] != [b"%d" % case.status] or len(said) != many:
                wrong.append((name, said))
    assert not wrong
    assert rss_mib(factory.pid("gateway")) - before < GROWTH_MIB


def test_every_hostile_body_is_refused_by_name_on_a_connection_that_goes_on(
    factory: Running,
) -> None:
    wrong = []
    before = rss_mib(factory.pid("gateway"))
    with served_meanwhile(factory):
        for name, case in TEXTS.items():
            head = (
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n"
                % (key(factory), len(case.body))
            )
            said = speak(factory, head + case.body + last(factory))
            status = _STATUS.findall(said)
            expected = [b"400", b"200"] if case.status == 400 else [b"413"]
            if status != expected:
                wrong.append((name, said[:300]))
                continue
            error = json.loads(said.split(b"\r\n\r\n")[1].split(b"HTTP/1.1")[0])["error"]
            if case.code not in {None, error["code"]} or case.param not in {None, error["param"]}:
                wrong.append((name, error))
    assert not wrong
    assert rss_mib(factory.pid("gateway")) - before < GROWTH_MIB


@pytest.mark.parametrize("path", ["/factory/v1/status", "/ledger/nothing", "/healthz"])
def test_nothing_smuggles_through_the_relay(factory: Running, path: str) -> None:
    """Control answers what it is asked once, and what hides in a request is never asked."""
    wrong = []
    for name, case in WIRES.items():
        asked = case.request(factory.operator_key.encode())
        asked = asked.replace(b"POST /v1/chat/completions", b"POST " + path.encode())
        whole = case.status in {SERVED, 405}
        said = _STATUS.findall(speak(factory, asked + (last(factory) if whole else SMUGGLED)))
        if whole:  # control's own answer, then that to the request behind it
            fine = said[0] in {b"404", b"405"} and said[1:] in ([], [b"200"])
        else:
            fine = said == [b"%d" % case.status]
        if not fine:
            wrong.append((name, said))
    assert not wrong


def test_idle_callers_beyond_the_limit_are_told_so_and_those_within_are_served(
    factory: Running,
) -> None:
    told = hold(factory, 2000, asks=3)
    assert told.held >= 1000
    assert told.refused >= 1
    assert told.held + told.refused + told.cut == 2000
    assert told.served == 3
    gateway = factory.pid("gateway")
    until(lambda: rss_mib(gateway) - told.before_mib < GROWTH_MIB, "it keeps what they took")


def test_a_caller_that_still_sends_twenty_megabytes_reads_why_not(factory: Running) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    head += b"Authorization: Bearer %b\r\n" % key(factory)
    started = rss_mib(factory.pid("gateway"))
    for framing, body in (
        (b"Content-Length: 20000000\r\n\r\n", b"x" * 20_000_000),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n%b\r\n" % (b"x" * 65536) * 300),
    ):
        assert _STATUS.findall(speak(factory, head + framing + body)) == [b"413"]
    assert rss_mib(factory.pid("gateway")) - started < GROWTH_MIB


def test_a_slow_head_is_told_and_a_silent_caller_is_let_go(factory: Running) -> None:
    """A byte a second for the whole of `header_s`, while others are served."""
    with (
        served_meanwhile(factory),
        socket.create_connection(("127.0.0.1", factory.port), timeout=PATIENCE_S) as slow,
        socket.create_connection(("127.0.0.1", factory.port), timeout=PATIENCE_S) as silent,
    ):
        slow.settimeout(0.5)
        said = b""
        end = time.monotonic() + PATIENCE_S
        slow.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n")
        while not said and time.monotonic() < end:
            slow.sendall(b"X")
            with contextlib.suppress(TimeoutError):
                said = slow.recv(4096)
        assert said.startswith(b"HTTP/1.1 408")
        assert read(silent) == b""
