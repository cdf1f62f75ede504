"""The one door out: names are resolved once, addresses judged, certificates verified."""

import asyncio
import ssl
from pathlib import Path

import pytest

from inland.adapters.egress.addresses import is_inside
from inland.adapters.egress.door import Door, origin
from inland.adapters.egress.uses import Use
from inland.domain.errors import BadInput, Denied
from tests.contract.egress.certificates import certificate

BY = ("rule",)

INSIDE = """127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.100.100.200 0.0.0.0
168.63.129.16 224.0.0.1 255.255.255.255 ::1 :: fe80::1 fe80::1%eth0 fd00:ec2::254 fc00::1 ff02::1
::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 2002:7f00:1:: fec0::1
::127.0.0.1 64:ff9b:1::a00:1 192.0.0.192 5f00::1 3fff::1 4000::1 2001:db8::1 nonsense""".split()
OUTSIDE = "1.1.1.1 8.8.8.8 2606:4700:4700::1111 ::ffff:1.1.1.1 64:ff9b::101:101".split()


@pytest.mark.parametrize("address", INSIDE)
def test_inside_addresses_are_known_in_every_spelling(address: str) -> None:
    assert is_inside(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_public_addresses_are_outside(address: str) -> None:
    assert not is_inside(address)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "http://",
        "http://u:p@x",
        "http://x?q",
        "http://x#f",
        "http://x:99999",
        "x",
        "http://x y",
    ],
)
def test_only_plain_http_urls_are_origins(url: str) -> None:
    with pytest.raises(BadInput):
        origin(url)


def test_an_origin_knows_its_authority() -> None:
    assert origin("https://a.example/v1/").authority == "a.example"
    assert origin("http://[::1]:8000").authority == "[::1]:8000"
    assert origin("https://a.example:444/x").path == "/x"


def door(resolved: list[str], *, allow_inside: bool, **more: ssl.SSLContext) -> Door:
    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return resolved

    asked: list[str] = []
    made = Door(
        lambda host, port, inside: BY if allow_inside or not inside else (),
        why="test",
        resolve=resolve,
        **more,
    )
    made.asked = asked  # type: ignore[attr-defined]
    return made


def test_a_name_that_points_inside_is_refused_without_a_connection() -> None:
    async def main() -> None:
        reached = []
        server = await asyncio.start_server(lambda r, w: reached.append(w), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            to = origin(f"http://metadata.example:{port}")
            with pytest.raises(Denied):
                await door(["127.0.0.1"], allow_inside=False).open(to, asyncio.Protocol)
        assert not reached

    asyncio.run(main())


def test_the_name_is_resolved_once_and_the_judged_address_used() -> None:
    async def main() -> None:
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        async with server:
            to = origin(f"http://no-such.example:{server.sockets[0].getsockname()[1]}")
            one = door(["127.0.0.1"], allow_inside=True)
            transport, _ = await one.open(to, asyncio.Protocol)
            assert transport.get_extra_info("peername")[0] == "127.0.0.1"
            assert one.asked == ["no-such.example"]  # type: ignore[attr-defined]
            assert one.uses.counts() == {Use(f"no-such.example:{to.port}", "test", BY): 1}
            transport.close()
            await asyncio.sleep(0.01)

    asyncio.run(main())


@pytest.mark.parametrize("host", ["a..example", "a" * 64 + ".example"])
def test_a_name_that_cannot_be_one_is_answered_by_nobody(host: str) -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="name"):
            await Door(lambda host, port, inside: BY, why="test").open(
                origin(f"http://{host}:80"), asyncio.Protocol
            )

    asyncio.run(main())


def test_what_is_forbidden_while_it_connects_is_not_connected() -> None:
    async def main() -> None:
        answers = iter([BY, ()])
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        async with server:
            to = origin(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            one = Door(lambda host, port, inside: next(answers), why="test")
            with pytest.raises(Denied):
                await one.open(to, asyncio.Protocol)
            await asyncio.sleep(0.01)

    asyncio.run(main())


def test_tls_is_verified_against_the_name_not_the_address(tmp_path: Path) -> None:
    async def main() -> None:
        cert, key = certificate(tmp_path, "right.example")
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        serving.load_cert_chain(cert, key)
        trusting = ssl.create_default_context(cafile=str(cert))
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=serving)
        async with server:
            port = server.sockets[0].getsockname()[1]
            trusted = door(["127.0.0.1"], allow_inside=True, context=trusting)
            right, wrong = (origin(f"https://{name}.example:{port}") for name in ("right", "wrong"))
            transport, _ = await trusted.open(right, asyncio.Protocol)
            transport.abort()
            with pytest.raises(ssl.SSLCertVerificationError):
                await trusted.open(wrong, asyncio.Protocol)
            with pytest.raises(ssl.SSLCertVerificationError):
                await door(["127.0.0.1"], allow_inside=True).open(right, asyncio.Protocol)
            await asyncio.sleep(0.02)

    asyncio.run(main())
