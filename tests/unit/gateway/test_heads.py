"""What is remembered of a connection's last head, and of a key that was proved, changes nothing."""

import asyncio
import time
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from inland.gateway.errors import Refused
from inland.gateway.head import Head
from tests.unit.gateway.world import KEYS, caller, request, snapshot, world

BODY = b'{"model":"smol","messages":[{"role":"user","content":"Hello?"}]}'
NAMES = [b"Host", b"host", b"Authorization", b"authorization", b"Content-Length", b"X", b"Expect"]
VALUES = [b"x", b"y", b"1", b" 12 ", b"Bearer a", b"100-continue"]
HEADERS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=5)


def _read(headers: list[tuple[bytes, bytes]]) -> Head | None:
    try:
        return Head(headers)
    except Refused:
        return None


def _said(head: Head) -> tuple[object, ...]:
    return head.authorization, head.length, head.expects, head.size, head.headers


@given(HEADERS, HEADERS, st.data())
def test_a_head_like_the_last_is_read_as_if_it_were_new(one, other, data) -> None:
    head = _read(one)
    if head is None:
        return
    if data.draw(st.booleans()):  # the same, but for values
        values = st.sampled_from(VALUES)
        other = [(name, data.draw(values) if len(name) > 4 else value) for name, value in one]
    anew, before = _read(other), [*head.headers]
    try:
        like = head.is_like(other)
    except Refused:
        assert anew is None
        return
    if like:
        assert anew is not None
        assert _said(head) == _said(anew)
    else:
        assert head.headers == before


def test_only_the_length_and_the_key_may_differ() -> None:
    said = [(b"Host", b"x"), (b"Authorization", b"a"), (b"Content-Length", b"1"), (b"X", b"y")]
    assert Head(said).is_like(
        [said[0], (b"Authorization", b"b"), (b"Content-Length", b"2"), said[3]]
    )
    for at, pair in enumerate(said):
        changed = [*said[:at], (pair[0] + b"s", pair[1]), *said[at + 1 :]]
        assert not Head(said).is_like(changed)
        assert not Head(said).is_like(said[:at] + said[at + 1 :])
        assert not Head(said).is_like([*said, pair])
    assert not Head(said).is_like([(b"Host", b"evil"), *said[1:]])


def test_on_one_connection_each_request_is_let_in_by_its_own_head() -> None:
    async def main() -> None:
        wrong = KEYS["demo"].text[:-1] + ("b" if KEYS["demo"].text[-1] == "a" else "a")
        async with world() as w, caller(w) as c:
            for _ in range(2):
                c.ask(BODY)
                assert (await c.reply()).status == 200
                c.ask(BODY, wrong)
                assert (await c.reply()).status == 401
            c.ask(BODY, "operator")
            assert (await c.reply()).status == 403
            c.ask(BODY + b" " * 99, "acme")
            assert (await c.reply()).status == 200
            c.send(request(BODY).replace(b"Host: x", b"Host: evil"))
            assert (await c.reply()).status == 421

    asyncio.run(main())


def test_a_key_that_was_proved_ends_with_its_time_and_with_its_snapshot() -> None:
    async def main() -> None:
        async with world() as w, caller(w) as c:
            now, mine = snapshot(2), KEYS["demo"].id
            soon = int(time.time()) + 100
            held = now.keys | {mine: replace(now.keys[mine], expires_unix_s=soon)}
            w.apply(replace(now, keys=held))
            c.ask(BODY)
            assert (await c.reply()).status == 200
            w.clock.ahead_s = 101
            c.ask(BODY)
            assert (await c.reply()).status == 401
            w.clock.ahead_s = 0
            c.ask(BODY)
            assert (await c.reply()).status == 200
            w.apply(replace(snapshot(3), keys=now.keys | {mine: replace(held[mine], revoked=True)}))
            c.ask(BODY)
            assert (await c.reply()).status == 401

    asyncio.run(main())
