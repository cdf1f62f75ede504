"""Who fails too often is told to wait, and nobody else; proxies are believed if they are named."""

import asyncio
import ipaddress
import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.api.app import PUBLIC
from inland.domain.limits import Limits
from inland.gateway.relay import is_open
from inland.gateway.sources import Peer, Sources, shown
from tests.unit.gateway.test_relay import control
from tests.unit.gateway.world import ASK, KEYS, Reply, World, caller, request, world

FEW = replace(Limits(), source_failures_per_minute=6, drain_s=0.2)
BODY = json.dumps({"model": "smol", "messages": ASK}).encode()
MODELS = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n%b\r\n"


class Now:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def _sources(limits: Limits = FEW, *proxies: str) -> tuple[Sources, Now]:
    now = Now()
    return Sources(limits, now, proxies), now


def _peer(sources: Sources, address: str) -> Peer:
    return sources.peer((address, 5), ("127.0.0.1", 8780), b"http")


# -- budgets


def test_a_source_may_fail_as_often_as_its_limit_says_and_again_as_time_passes() -> None:
    sources, now = _sources()
    assert [sources.failed(b"aaaa") for _ in range(8)] == [False] * 6 + [True] * 2
    assert sources.wait_s(b"aaaa") == 10
    assert sources.wait_s(b"bbbb") == 0
    now.s += 10
    assert sources.wait_s(b"aaaa") == 0
    assert [sources.failed(b"aaaa") for _ in range(2)] == [False, True]
    now.s += 1000
    sources.sweep()
    assert sources.owing == 0
    assert [sources.failed(b"aaaa") for _ in range(7)] == [False] * 6 + [True]


@given(st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=300))
def test_no_source_fails_more_often_than_its_budget_in_any_minute(
    steps: list[tuple[float, bool]],
) -> None:
    sources, now = _sources()
    let_in: list[float] = []
    for pause_s, sweeps in steps:
        now.s += pause_s
        if sweeps:
            sources.sweep()
        waits = sources.wait_s(b"aaaa") > 0
        refused = sources.failed(b"aaaa")
        assert waits == refused
        if not refused:
            let_in.append(now.s)
    for begin in let_in:
        # a full budget at once, and one more for each share of the minute that passes
        assert sum(begin <= at < begin + 59.9 for at in let_in) <= 12


def test_filling_the_table_makes_it_forget_nobody() -> None:
    sources, now = _sources(replace(FEW, sources=16))
    for _ in range(6):
        sources.failed(b"evil")
    for number in range(10_000):
        sources.failed(number.to_bytes(4))
        assert sources.owing <= 17
        assert sources.wait_s(b"evil")
    # who found no room shares one budget, which is spent; who has room has its own
    assert sources.wait_s((9_999).to_bytes(4))
    assert not sources.wait_s((0).to_bytes(4))
    now.s += 61
    sources.sweep()
    assert sources.owing == 0
    assert not sources.failed((9_999).to_bytes(4))


def test_what_is_said_of_sources_in_the_log_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    sources, now = _sources()
    with caplog.at_level(logging.WARNING):
        for number in range(200):
            for _ in range(9):
                sources.failed(ipaddress.IPv4Address(number).packed)
        assert len(caplog.records) == 10
        assert vars(caplog.records[1])["source"] == "0.0.0.1"
        now.s += 61
        sources.sweep()
        assert vars(caplog.records[10])["sources"] == 190


# -- who


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%lo", "fe80::2", True),
    ],
)
def test_sources_are_addresses_and_networks_of_64_bits(one: str, other: str, same: bool) -> None:
    sources, _ = _sources()
    assert (_peer(sources, one).source == _peer(sources, other).source) is same


@pytest.mark.parametrize(
    ("forwarded_for", "forwarded", "source"),
    [
        ([b"203.0.113.9"], [], "203.0.113.9"),
        ([b"198.51.100.1, 203.0.113.9"], [], "203.0.113.9"),
        ([b"198.51.100.1", b"203.0.113.9, 10.9.9.9"], [], "203.0.113.9"),
        ([b"203.0.113.9:5123"], [], "203.0.113.9"),
        ([b"[2001:db8::7]:80"], [], "2001:db8::/64"),
        ([b"2001:db8::7"], [], "2001:db8::/64"),
        ([], [b'for=198.51.100.1, for="203.0.113.9:99";proto=https;by=10.0.0.1'], "203.0.113.9"),
        ([], [b'For="[2001:db8::7]:80"'], "2001:db8::/64"),
        ([b"203.0.113.9"], [b"for=203.0.113.9"], "203.0.113.9"),
        ([b"203.0.113.9"], [b"for=198.51.100.1"], "10.0.0.1"),  # one is the caller's invention
        ([b"198.51.100.1, nonsense"], [], "10.0.0.1"),
        ([b""], [], "10.0.0.1"),
        ([], [b"for=_hidden"], "10.0.0.1"),
        ([], [b"proto=https"], "10.0.0.1"),
        ([], [], "10.0.0.1"),
        ([b"10.1.1.1, " * 5000], [], "10.1.1.1"),
    ],
)
def test_a_named_proxy_is_believed_on_the_nearest_hop_that_is_none(
    forwarded_for: list[bytes], forwarded: list[bytes], source: str
) -> None:
    sources, _ = _sources(FEW, "10.0.0.0/8")
    peer = _peer(sources, "10.0.0.1")
    assert peer.is_proxy
    found = sources.behind(peer, forwarded_for, forwarded)
    if source != "10.1.1.1":
        assert shown(found) == source


def test_what_control_gives_anybody_is_what_no_failure_closes() -> None:
    assert all(is_open(path.replace("{path:path}", "0/000").encode()) for path in PUBLIC)
    assert not is_open(b"/factory/v1/status")
    assert not is_open(b"/metrics")


# -- on the wire


async def _models(w: World, key: str | None, source: str, extra: bytes = b"") -> Reply:
    async with caller(w, source) as c:
        text = KEYS[key].text if key in KEYS else key
        given = b"" if text is None else b"Authorization: Bearer %b\r\n" % text.encode()
        c.send(MODELS % (given + extra))
        return await c.reply()


def test_failures_of_one_source_are_refused_and_its_working_keys_are_not() -> None:
    async def main() -> None:
        async with world(FEW) as w:
            wrong = KEYS["demo"].text[:-1] + "_"
            told = [(await _models(w, wrong, "127.0.0.1")).status for _ in range(7)]
            assert told == [401] * 6 + [429]
            for key in (None, "inl_x", wrong):
                reply = await _models(w, key, "127.0.0.1")
                assert reply.status == 429
                assert 1 <= int(reply.headers["retry-after"]) <= 10
            assert (await _models(w, "demo", "127.0.0.1")).status == 200
            async with caller(w) as c:
                c.send(request(BODY))
                assert (await c.reply()).status == 200
                c.send(request(BODY, "nobody"))
                assert (await c.reply()).status == 429
            assert (await _models(w, wrong, "127.0.0.2")).status == 401
            counters = w.gateway.metrics()["counters"]["turned_away"]["series"]
            assert counters == [[["too_many_failures"], 5]]
            assert "127.0.0" not in json.dumps(w.gateway.metrics())
            assert "127.0.0" not in repr(w.journal.frames)
            w.clock.ahead_s += 60
            assert (await _models(w, wrong, "127.0.0.1")).status == 401

    asyncio.run(main())


def test_a_stranger_who_says_he_is_someone_else_is_not_believed() -> None:
    async def main() -> None:
        async with world(FEW) as w:
            for number in range(6):
                extra = b"X-Forwarded-For: 203.0.113.%d\r\nForwarded: for=203.0.113.9\r\n" % number
                assert (await _models(w, None, "127.0.0.1", extra)).status == 401
            assert (await _models(w, None, "127.0.0.1", b"X-Forwarded-For: ::5\r\n")).status == 429

    asyncio.run(main())


def test_callers_behind_a_named_proxy_are_told_apart() -> None:
    async def main() -> None:
        async with world(FEW, proxies=("127.0.0.2",)) as w:
            bad = b"X-Forwarded-For: 198.51.100.1, 203.0.113.9\r\n"
            told = [(await _models(w, None, "127.0.0.2", bad)).status for _ in range(7)]
            assert told == [401] * 6 + [429]
            # he cannot become another by writing a hop before the proxy's
            spoofed = b"X-Forwarded-For: 10.0.0.1, 203.0.113.9\r\n"
            assert (await _models(w, None, "127.0.0.2", spoofed)).status == 429
            other = b"X-Forwarded-For: 203.0.113.10\r\n"
            assert (await _models(w, None, "127.0.0.2", other)).status == 401
            assert (await _models(w, "demo", "127.0.0.2", bad)).status == 200
            # and the proxy's own address was not charged for any of it
            assert (await _models(w, None, "127.0.0.2")).status == 401

    asyncio.run(main())


NO = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"


def test_what_control_refuses_counts_and_then_is_not_asked_any_more(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def status(w: World, path: bytes, key: bytes, source: str = "127.0.0.1") -> int:
        async with caller(w, source) as c:
            c.send(b"GET %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n" % (path, key))
            return (await c.reply()).status

    async def main() -> None:
        path, asked = tmp_path / "c.sock", b"/factory/v1/status"
        async with control(path, [NO], seen), world(FEW, relay=str(path)) as w:
            told = [await status(w, asked, b"wrong") for _ in range(9)]
            assert told == [401] * 6 + [429] * 3
            assert len(seen) == 6
            # a key that works still reaches control, an operator's too; what is public does anyway
            for key in (KEYS["demo"], KEYS["operator"]):
                assert await status(w, asked, key.text.encode()) == 401  # this control's answer
            assert await status(w, b"/ledger/checkpoint", b"wrong") == 401
            assert await status(w, asked, b"wrong", "127.0.0.2") == 401
            assert len(seen) == 10
            # failing there is failing here
            assert (await _models(w, None, "127.0.0.1")).status == 429

    asyncio.run(main())


def test_connections_of_one_source_are_bounded_and_those_of_a_proxy_are_not() -> None:
    async def main() -> None:
        limits = replace(FEW, source_connections=2)
        async with (
            world(limits, proxies=("127.0.0.9",)) as w,
            caller(w) as one,
            caller(w) as two,
            caller(w) as three,
            caller(w, "127.0.0.2") as other,
        ):
            assert (await three.reply()).status == 503
            for c in (one, two, other):
                c.send(request(BODY))
                assert (await c.reply()).status == 200
            await one.close()
            await three.close()
            await w.until(lambda: len(w.gateway._desk.connections) == 2)
            async with caller(w) as again:
                again.send(request(BODY))
                assert (await again.reply()).status == 200
            proxied = "127.0.0.9"
            async with caller(w, proxied) as a, caller(w, proxied) as b, caller(w, proxied) as c:
                for each in (a, b, c):
                    each.send(request(BODY))
                    assert (await each.reply()).status == 200

    asyncio.run(main())
