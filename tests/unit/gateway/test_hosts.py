"""A request under a name that is not the factory's, or from a stranger's page, does nothing."""

import asyncio
import json

import pytest

from inland.gateway.errors import Refused
from inland.gateway.hosts import Hosts
from tests.unit.gateway.world import KEYS, Reply, caller, world

#: A request line for every kind of route: decided here, answered by control, public, or nowhere.
ROUTES = (
    b"POST /v1/chat/completions",
    b"GET /v1/models",
    b"GET /v1/models/smol",
    b"GET /v1/nothing",
    b"OPTIONS /v1/chat/completions",
    b"GET /healthz",
    b"HEAD /readyz",
    b"GET /metrics",
    b"GET /ledger/checkpoint",
    b"POST /factory/v1/keys",
    b"OPTIONS /factory/v1/keys",
    b"GET /factory/v1/status",
    b"GET /",
    b"TRACE /x",
)
KEY = b"Authorization: Bearer %b\r\n" % KEYS["demo"].text.encode()
#: Headers → the status that all routes answer with; None: anything else, for it was let in.
HOSTS: dict[str, tuple[bytes, int | None]] = {
    "declared": (b"Host: x\r\n", None),
    "declared, a port": (b"Host: X:1\r\n", None),
    "declared, rooted": (b"Host: x.\r\n", None),
    "loopback's name": (b"Host: LocalHost:99\r\n", None),
    "loopback": (b"Host: 127.0.0.1:8780\r\n", None),
    "loopback, IPv6": (b"Host: [::1]:8780\r\n", None),
    "loopback, IPv6 in full": (b"Host: [0:0:0:0:0:0:0:1]\r\n", None),
    "a stranger's": (b"Host: evil.example\r\n", 421),
    "a stranger's, with our port": (b"Host: evil.example:8780\r\n", 421),
    "one that begins alike": (b"Host: localhost.evil.example\r\n", 421),
    "another address": (b"Host: 127.0.0.3\r\n", 421),
    "any address": (b"Host: 0.0.0.0:8780\r\n", 421),
    "none": (b"", 400),
    "an empty one": (b"Host: \r\n", 400),
    "two": (b"Host: x\r\nHost: x\r\n", 400),
    "two that differ": (b"Host: x\r\nhost: evil.example\r\n", 400),
    "a list": (b"Host: x, evil.example\r\n", 400),
    "a user": (b"Host: x@evil.example\r\n", 400),
    "a path": (b"Host: x/evil\r\n", 400),
    "no such port": (b"Host: x:65536\r\n", 400),
    "no port": (b"Host: x:y\r\n", 400),
    "no address": (b"Host: [::1\r\n", 400),
    "not an address": (b"Host: [::ffff:1:2:3:4:5:6:7]\r\n", 400),
    "not ASCII": (b"Host: \xe2\x80\xae\r\n", 400),
}
ORIGINS: dict[str, tuple[bytes, int | None]] = {
    "our own": (b"Host: x:80\r\nOrigin: http://x\r\n", None),
    "our own, with its port": (b"Host: x:8780\r\nOrigin: http://X:8780\r\n", None),
    "declared": (b"Host: x\r\nOrigin: https://app.example\r\n", None),
    "declared, across sites": (
        b"Host: x\r\nOrigin: https://app.example\r\nSec-Fetch-Site: cross-site\r\n",
        None,
    ),
    "a person's click": (
        b"Host: x\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n",
        None,
    ),
    "a stranger's": (b"Host: x\r\nOrigin: http://evil.example\r\n", 403),
    "our name, another scheme": (b"Host: x\r\nOrigin: https://x\r\n", 403),
    "our name, another port": (b"Host: x:8780\r\nOrigin: http://x:8781\r\n", 403),
    "another of our names": (b"Host: x\r\nOrigin: http://localhost\r\n", 403),
    "declared, another scheme": (b"Host: x\r\nOrigin: http://app.example\r\n", 403),
    "null": (b"Host: x\r\nOrigin: null\r\n", 403),
    "empty": (b"Host: x\r\nOrigin: \r\n", 403),
    "garbage": (b"Host: x\r\nOrigin: \xff\xfe<script>\r\n", 403),
    "two": (b"Host: x\r\nOrigin: http://x\r\nOrigin: http://evil.example\r\n", 400),
    "none, but across sites": (b"Host: x\r\nSec-Fetch-Site: cross-site\r\n", 403),
    "an image across sites": (
        b"Host: x\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n",
        403,
    ),
}


async def _ask(route: bytes, headers: bytes) -> tuple[Reply, int]:
    """What came back, and how many requests engines got."""
    async with world(origins=("https://app.example",)) as w, caller(w) as c:
        c.send(b"%b HTTP/1.1\r\n%b%bContent-Length: 2\r\n\r\n{}" % (route, headers, KEY))
        head = await c.head()
        if not route.startswith(b"HEAD"):
            head.body = await c.reader.readexactly(int(head.headers["content-length"]))
        return head, len(w.engine.calls)


@pytest.mark.parametrize("case", [*HOSTS, *(f"origin: {name}" for name in ORIGINS)])
def test_every_route_looks_at_host_and_origin_first(case: str) -> None:
    table = ORIGINS if case.startswith("origin: ") else HOSTS
    headers, status = table[case.removeprefix("origin: ")]

    async def main() -> None:
        for route in ROUTES:
            reply, calls = await _ask(route, headers)
            if status is None:
                assert reply.status not in {421, 403}, route
                assert (reply.status, b"Host" in reply.body) != (400, True), route
            else:
                assert reply.status == status, route
                assert calls == 0
            assert not [name for name in reply.headers if name.startswith("access-control")]

    asyncio.run(main())


def test_a_refused_name_is_told_which_names_there_are_and_how_one_is_added() -> None:
    async def main() -> None:
        reply, _ = await _ask(b"GET /v1/models", b"Host: evil.example\r\n")
        error = json.loads(reply.body)["error"]
        assert error["code"] == "unknown_host"
        for told in ("evil.example", "127.0.0.1", "localhost", "x", "`hosts` under [serve]"):
            assert told in error["message"]
        reply, _ = await _ask(b"GET /metrics", b"Host: x\r\nOrigin: http://evil.example\r\n")
        assert "`origins` under [serve]" in json.loads(reply.body)["detail"]

    asyncio.run(main())


def test_the_address_a_connection_came_to_is_a_name_and_no_other_address_is() -> None:
    hosts = Hosts()
    hosts.check_host(b"192.0.2.7:8780", "192.0.2.7")
    for _ in range(2):  # what was found good for one address is not for another
        with pytest.raises(Refused):
            hosts.check_host(b"192.0.2.7:8780", "192.0.2.8")


def test_names_that_were_good_are_remembered_within_bounds() -> None:
    hosts = Hosts()
    for port in range(5000):
        hosts.check_host(b"localhost:%d" % port, "")
    assert len(hosts._known) <= 256


def test_an_https_origin_is_our_own_only_over_tls() -> None:
    hosts = Hosts(("x",))
    hosts.check_page(b"https", b"x", b"https://x:443", b"", b"")
    with pytest.raises(Refused):
        hosts.check_page(b"https", b"x", b"http://x", b"", b"")
