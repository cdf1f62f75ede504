"""The feed over real sockets: leases lapse without control, changes are waited for."""

import asyncio
import threading
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from inland.adapters.feed import client as client_module
from inland.adapters.feed.client import FeedClient, Hello
from inland.adapters.feed.frames import LEASE_S
from inland.adapters.feed.server import FeedServer
from inland.domain.allowances import Allowance, Claim
from inland.domain.snapshot import Secrets
from tests.patience import PATIENCE_S
from tests.patience import until_here as until
from tests.unit.decide.plants import allowed_snapshot

NO_SECRETS = Secrets({}, {})


class HandClock:
    """Moves when a test moves it."""

    def __init__(self):
        self.now_s = 1000.0

    def unix_us(self):
        return 0

    def monotonic(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds


def version(number):
    return replace(allowed_snapshot(), version=number)


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def feed(tmp_path, clock):
    """A server whose start lies more than a lease back."""
    made = FeedServer(tmp_path / "feed.sock", clock, frozenset)
    clock.now_s += 10
    made.start()
    yield made
    made.close()


def gateway(path, clock, on_snapshot=lambda *_: None, pid=7):
    return FeedClient(path, Hello("gateway-0", pid, f"w{pid}"), on_snapshot, dict, clock)


@asynccontextmanager
async def running(client):
    task = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class Waiter(threading.Thread):
    """Someone who revoked, and waits for it to be in force."""

    def __init__(self, feed, number):
        super().__init__(daemon=True)
        self._feed, self._number = feed, number
        self.start()

    def run(self):
        self._feed.wait_in_force(self._number)


def run(body):
    """Tests are synchronous; what they drive is not."""
    asyncio.run(asyncio.wait_for(body, 3 * PATIENCE_S))


def test_a_gateway_runs_what_is_published_and_a_change_waits_for_it(feed, clock, tmp_path):
    async def body():
        seen = []
        client = gateway(tmp_path / "feed.sock", clock, lambda snapshot, _: seen.append(snapshot))
        feed.publish(version(1), NO_SECRETS)
        async with running(client):
            await until(client.lease_ok)
            assert seen == [version(1)]
            feed.publish(version(2), NO_SECRETS)
            waiter = Waiter(feed, 2)
            await until(lambda: not waiter.is_alive())
            assert client.running() == 2
            (holder,) = feed.gateways()
            assert (holder.gateway, holder.running, holder.metrics) == ("gateway-0", 2, {})

    run(body())


def test_a_gateway_that_cannot_apply_a_version_delays_it_for_one_lease(feed, clock, tmp_path):
    async def body():
        def apply(snapshot, _):
            if snapshot.version > 1:
                raise ValueError("this one cannot be used")

        client = gateway(tmp_path / "feed.sock", clock, apply)
        feed.publish(version(1), NO_SECRETS)
        async with running(client):
            await until(client.lease_ok)
            feed.publish(version(2), NO_SECRETS)
            waiter = Waiter(feed, 2)
            await until(lambda: feed.gateways()[0].behind_since is not None)
            assert waiter.is_alive(), "its lease runs"
            clock.now_s += LEASE_S
            assert not client.lease_ok()
            await until(lambda: not waiter.is_alive())
            assert client.running() == 1

    run(body())


def test_a_dead_control_ends_the_lease_within_five_seconds_and_a_new_one_gives_it_back(
    clock, tmp_path
):
    async def body():
        path = tmp_path / "feed.sock"
        first = FeedServer(path, clock, frozenset)
        first.start()
        first.publish(version(1), NO_SECRETS)
        client = gateway(path, clock)
        async with running(client):
            await until(client.lease_ok)
            first.close()
            clock.now_s += LEASE_S - 0.01
            assert client.lease_ok(), "control's death stops no tokens while it is back in time"
            clock.now_s += 0.01
            assert not client.lease_ok()
            second = FeedServer(path, clock, lambda: frozenset({7}))
            second.start()
            second.publish(version(1), NO_SECRETS)
            try:
                await until(client.lease_ok)
                waiter = Waiter(second, 1)
                await until(lambda: not waiter.is_alive())
            finally:
                second.close()

    run(body())


def test_a_control_that_starts_waits_a_lease_for_gateways_it_has_not_heard(clock, tmp_path):
    server = FeedServer(tmp_path / "feed.sock", clock, lambda: frozenset({7}))
    server.start()
    try:
        server.publish(version(1), NO_SECRETS)
        waiter = Waiter(server, 1)
        waiter.join(0.3)
        assert waiter.is_alive()
        clock.now_s += LEASE_S
        waiter.join(PATIENCE_S)
        assert not waiter.is_alive()
    finally:
        server.close()


def test_a_killed_gateway_delays_a_change_until_its_lease_ends(feed, clock, tmp_path):
    async def body():
        client = gateway(tmp_path / "feed.sock", clock)
        feed.publish(version(1), NO_SECRETS)
        async with running(client):
            await until(client.lease_ok)
        feed.publish(version(2), NO_SECRETS)
        waiter = Waiter(feed, 2)
        await asyncio.sleep(0.2)
        assert waiter.is_alive()
        clock.now_s += LEASE_S
        await until(lambda: not waiter.is_alive())

    run(body())


def test_an_older_snapshot_is_never_put_in_place_of_a_newer(feed, clock, tmp_path):
    async def body():
        client = gateway(tmp_path / "feed.sock", clock)
        feed.publish(version(5), NO_SECRETS)
        feed.publish(version(4), NO_SECRETS)
        async with running(client):
            await until(lambda: client.running() > 0)
            assert client.running() == 5
            assert feed.version() == 5

    run(body())


def test_a_stranger_on_the_socket_ends_nobody_elses_lease(feed, clock, tmp_path):
    async def body():
        path = tmp_path / "feed.sock"
        client = gateway(path, clock)
        feed.publish(version(1), NO_SECRETS)
        async with running(client):
            await until(client.lease_ok)
            for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x02{}", b"\x00"):
                reader, writer = await asyncio.open_unix_connection(path)
                writer.write(noise)
                if noise != b"\x00":
                    assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()
            feed.publish(version(2), NO_SECRETS)
            await until(lambda: client.running() == 2)
            assert feed.is_alive()

    run(body())


def test_metrics_that_are_too_long_cost_no_lease(feed, clock, tmp_path, monkeypatch):
    monkeypatch.setattr(client_module, "ASK_LIMIT_BYTES", 200)

    async def body():
        hello = Hello("gateway-0", 7, "w")
        counts = {"x" * 300: 1}
        client = FeedClient(tmp_path / "feed.sock", hello, lambda *_: None, lambda: counts, clock)
        feed.publish(version(1), NO_SECRETS)
        async with running(client):
            await until(client.lease_ok)
            assert feed.gateways()[0].metrics is None

    run(body())


class Claimant:
    """A gateway's budgets, as the feed knows them: what it was asked to say, and was told."""

    def __init__(self, *claims):
        self.held, self.told = claims, []

    def claims(self):
        return list(self.held)

    def take(self, allowances):
        self.told.append(tuple(allowances))


def test_claims_are_answered_at_once_when_it_hurries_and_only_the_newest_count(tmp_path, clock):
    claim = Claim("acme/*/tokens/day", 0, 5, waiting=7)
    asked = []

    def allow(writer, n, claims):
        asked.append((writer, n, claims))
        return [Allowance(one.budget, one.period_unix_s, one.held + n) for one in claims]

    async def run():
        server = FeedServer(tmp_path / "feed.sock", clock, frozenset, allow=allow)
        server.start()
        claimant = Claimant(claim)
        hello = Hello("gateway-0", 7, "w7")
        client = FeedClient(
            tmp_path / "feed.sock", hello, lambda *_: None, dict, clock, budgets=claimant
        )
        try:
            async with running(client):
                await until(lambda: claimant.told)
                client.hurry()
                client.hurry()  # one is under way: its answer is waited for
                await until(lambda: len(claimant.told) >= 2)
                claimant.held = ()
                client.hurry()
                await until(lambda: asked[-1][2] == ())
        finally:
            server.close()
        numbers = [n for _, n, claims in asked if claims == (claim,)]
        assert {writer for writer, _, _ in asked} == {"w7"}
        assert numbers == sorted(set(numbers))
        heard = [told[0].held - 5 for told in claimant.told]
        assert heard == [n for n in numbers if n in heard]
        assert len(heard) >= 2

    asyncio.run(run())


def test_a_client_that_is_cancelled_while_its_talk_ends_is_cancelled():
    async def body():
        async def lingers():
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.Event().wait()

        talking = asyncio.create_task(lingers())
        await asyncio.sleep(0)
        ending = asyncio.create_task(client_module._end([talking]))
        for _ in range(3):  # until the talk has heard of it, and lingers
            await asyncio.sleep(0)
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(ending, PATIENCE_S)
        assert talking.cancelled()

    run(body())
