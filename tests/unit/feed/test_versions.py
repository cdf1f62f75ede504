"""Gateways and a control of different versions: they work together, or both say why not."""

import asyncio
import json
import logging
from dataclasses import replace

import msgspec
import pytest

from inland import __version__
from inland.adapters.feed import client as client_module
from inland.adapters.feed import frames
from inland.adapters.feed import server as server_module
from inland.adapters.feed.frames import (
    LEASE_S,
    Ask,
    Push,
    from_control,
    from_gateway,
    push_frame,
    unspoken,
)
from inland.adapters.feed.strict import strictly
from inland.adapters.processes.protocol import demand_spoken, view_from, view_to
from inland.domain.errors import Conflict, Damaged
from inland.domain.guards import Act, Guard, Question
from inland.domain.snapshot import Secrets, Snapshot
from inland.ports.runner import ProcessState, ProcessView
from tests.fixtures.homes.older import revisions, unpack
from tests.patience import PATIENCE_S
from tests.patience import until_here as until
from tests.unit.decide.plants import allowed_snapshot
from tests.unit.feed.test_feed import NO_SECRETS, HandClock, Waiter, gateway, run, running
from tests.unit.feed.test_feed import clock as clock  # noqa: PLC0414 - a fixture
from tests.unit.feed.test_feed import feed as feed  # noqa: PLC0414
from tests.unit.feed.test_feed import version as of_version


@pytest.fixture(params=revisions())
def recorded(request, tmp_path):
    """What the feed of an earlier version said, byte for byte."""
    return unpack(request.param, tmp_path).kept


def test_what_an_earlier_control_pushed_is_still_read(recorded):
    message = from_control((recorded / "push.frame").read_bytes()[4:])
    assert isinstance(message, Push)
    assert {"demo", "acme", "clinic"} <= message.snapshot.tenants.keys()
    assert message.secrets.record_keys.keys() == message.snapshot.tenants.keys()


def test_an_earlier_gateway_gets_no_snapshot_and_no_lease_and_control_says_why(
    recorded, feed, caplog, tmp_path
):
    ask = (recorded / "ask.frame").read_bytes()
    said = from_gateway(ask[4:])
    assert isinstance(said, Ask)
    if not unspoken(said.spoken, "", ""):
        pytest.skip("it speaks what is spoken today")

    async def body():
        feed.publish(of_version(2), NO_SECRETS)
        reader, writer = await asyncio.open_unix_connection(tmp_path / "feed.sock")
        writer.write(ask)
        length = int.from_bytes(await reader.readexactly(4), "big")
        answer = json.loads(await reader.readexactly(length))
        assert (answer["type"], answer["lease_s"]) == ("answer", 0.0)
        assert "their feeds differ; restart the factory" in answer["refused"]
        writer.close()
        await writer.wait_closed()

    with caplog.at_level(logging.ERROR):
        run(body())
    assert [r for r in caplog.records if "feeds differ" in vars(r).get("why", "")]
    assert "feeds differ" in next(iter(feed.refused().values()))


def test_a_gateway_beside_an_earlier_control_serves_nothing_and_says_why(tmp_path, clock, caplog):
    """That control pushes, and grants a lease: it knows of no versions."""
    pushed = frames.to_frame(Push(allowed_snapshot(), NO_SECRETS))

    async def serve(reader, writer):
        writer.write(pushed)
        while head := await reader.read(4):
            ask = from_gateway(await reader.readexactly(int.from_bytes(head, "big")))
            told = {"type": "answer", "n": ask.n, "lease_s": LEASE_S, "version": 1}
            payload = json.dumps(told).encode()
            writer.write(len(payload).to_bytes(4, "big") + payload)
        writer.close()

    async def body():
        server = await asyncio.start_unix_server(serve, tmp_path / "feed.sock")
        client = gateway(tmp_path / "feed.sock", clock)
        async with running(client):
            await until(client.refused)
            assert not client.lease_ok()
            assert f"this is {__version__}" in client.refused()
        server.close()

    with caplog.at_level(logging.ERROR):
        run(body())
    assert [record for record in caplog.records if "differ" in record.message]


@pytest.mark.parametrize(
    ("spoken", "works"), [((2, 2), True), ((2, 4), True), ((1, 1), False), ((3, 3), False)]
)
def test_a_newer_gateway_works_where_it_still_speaks_our_form(
    feed, clock, tmp_path, monkeypatch, spoken, works
):
    monkeypatch.setattr(client_module, "SPOKEN", spoken)

    async def body():
        client = gateway(tmp_path / "feed.sock", clock)
        feed.publish(of_version(1), NO_SECRETS)
        async with running(client):
            await until(lambda: client.lease_ok() or client.refused())
            assert client.lease_ok() == works
            assert bool(client.refused()) == bool(feed.refused()) == (not works)

    run(body())


def _with(payload, path, name):
    """The push with one more field in the object at `path`."""
    message = json.loads(payload)
    at = message
    for step in path:
        at = at[step]
    at[name] = True
    return json.dumps(message).encode()


@pytest.mark.parametrize(
    "path", [("snapshot",), ("secrets",), ("snapshot", "tenants"), ("snapshot", "keys")]
)
def test_a_field_that_is_not_known_is_refused_in_a_snapshot_wherever_it_stands(path):
    snapshot = allowed_snapshot()
    (payload, _) = push_frame(snapshot, NO_SECRETS)
    path = (*path, next(iter(getattr(snapshot, path[1])))) if len(path) > 1 else path
    with pytest.raises(Damaged, match="unknown field"):
        from_control(_with(payload[4:], path, "forbidden_after_dark"))
    message = from_control(_with(payload[4:], (), "note"))
    assert isinstance(message, Push), "around a snapshot it is passed over"


def test_what_a_guard_asks_is_held_to_its_fields():
    guard = Guard("words", Act.BLOCK, asks=Question("judge", "a secret"))
    snapshot = replace(allowed_snapshot(), guards={"words": guard})
    (payload, _) = push_frame(snapshot, NO_SECRETS)
    message = from_control(payload[4:])
    assert isinstance(message, Push)
    assert message.snapshot.guards == {"words": guard}
    with pytest.raises(Damaged, match="unknown field"):
        from_control(_with(payload[4:], ("snapshot", "guards", "words", "asks"), "more"))


def test_every_object_in_a_snapshot_is_held_to_its_fields():
    """Also what the test above does not reach: labels, places, replicas."""
    strict = msgspec.json.Decoder(strictly(Snapshot))
    plain = msgspec.json.encode(allowed_snapshot())
    strict.decode(plain)
    objects = 0

    def walk(value):
        nonlocal objects
        for one in list(value.values()) if isinstance(value, dict) else value:
            if isinstance(one, dict | list):
                walk(one)
        if isinstance(value, dict) and value and not _is_map(value):
            objects += 1
            value["one_more"] = 1
            with pytest.raises(msgspec.ValidationError):
                strict.decode(json.dumps(document))
            del value["one_more"]

    document = json.loads(plain)
    walk(document)
    assert objects >= 8


def _is_map(value):
    return all(isinstance(one, dict) for one in value.values())


def test_a_gateway_that_cannot_read_a_snapshot_says_so_to_control(
    feed, clock, tmp_path, caplog, monkeypatch
):
    async def body():
        client = gateway(tmp_path / "feed.sock", clock)
        feed.publish(of_version(1), NO_SECRETS)
        async with running(client):
            await until(client.lease_ok)
            with monkeypatch.context() as patch:
                patch.setattr(server_module, "push_frame", _later)
                feed.publish(of_version(2), NO_SECRETS)
            await until(client.refused)
            clock.now_s += LEASE_S
            assert not client.lease_ok()
            await until(feed.refused)
            assert "later" in str(feed.refused())
            feed.publish(of_version(3), NO_SECRETS)
            await until(client.lease_ok)
            assert not client.refused()

    with caplog.at_level(logging.ERROR):
        run(body())
    assert [record for record in caplog.records if record.message == "a gateway cannot work"]


def _later(snapshot, secrets):
    """What a control would push that knows of one more field."""
    frame, digest = push_frame(snapshot, secrets)
    payload = _with(frame[4:], ("snapshot",), "later")
    return len(payload).to_bytes(4, "big") + payload, digest


def test_a_database_put_back_at_the_same_version_is_pushed(tmp_path, clock):
    """The gateway runs version 3 of what was there before; control now has another version 3."""

    async def body():
        path, seen = tmp_path / "feed.sock", []
        first = frames_server(path, clock)
        first.publish(of_version(3), NO_SECRETS)
        client = gateway(path, clock, lambda snapshot, _: seen.append(snapshot))
        async with running(client):
            await until(client.lease_ok)
            first.close()
            second = frames_server(path, clock)
            try:
                other = replace(of_version(3), factory="put-back")
                second.publish(other, NO_SECRETS)
                waiter = Waiter(second, 3)
                await until(lambda: seen[-1] == other)
                await until(lambda: not waiter.is_alive())
                assert client.lease_ok()
            finally:
                second.close()

    run(body())


def test_nothing_is_in_force_while_a_gateway_runs_anothers_content(tmp_path, clock):
    async def body():
        path = tmp_path / "feed.sock"

        def apply(snapshot, _):
            if snapshot.factory == "put-back":
                raise ValueError("not this one")

        first = frames_server(path, clock)
        first.publish(of_version(3), NO_SECRETS)
        client = gateway(path, clock, apply)
        async with running(client):
            await until(client.lease_ok)
            first.close()
            second = frames_server(path, clock)
            try:
                second.publish(replace(of_version(3), factory="put-back"), NO_SECRETS)
                await until(second.heard)
                clock.now_s += LEASE_S - 0.5  # of what this control assumes everywhere
                waiter = Waiter(second, 3)
                waiter.join(0.3)
                assert waiter.is_alive()
            finally:
                clock.now_s += 3 * LEASE_S
                waiter.join(PATIENCE_S)
                second.close()

    run(body())


def frames_server(path, clock: HandClock):
    from inland.adapters.feed.server import FeedServer

    server = FeedServer(path, clock, lambda: frozenset({7}))
    server.start()
    return server


def test_a_state_too_large_for_a_gateway_is_refused_whole(feed, plant_of, monkeypatch):
    plant = plant_of
    before = plant.tenants.all()
    monkeypatch.setattr(plant.feed, "demand_fits", feed.demand_fits)
    plant.tenants.add("operator", "first")
    feed.publish(plant.snapshot, plant.secrets.secrets())
    size = len(feed._push)
    monkeypatch.setattr(server_module, "PUSH_LIMIT_BYTES", size + server_module.RESERVE_BYTES)
    published = len(plant.feed.published)
    with pytest.raises(Conflict, match="too large"):
        plant.tenants.add("operator", "second")
    assert [tenant.id for tenant in plant.tenants.all()] == [*(t.id for t in before), "first"]
    assert len(plant.feed.published) == published
    plant.tenants.suspend("operator", "first")
    assert plant.feed.published[-1].tenants["first"].suspended


@pytest.fixture
def plant_of(tmp_path):
    from tests.unit.plant.parts import Plant

    made = Plant(tmp_path)
    made.begin()
    yield made
    made.store.close()


def test_commands_and_a_supervisor_of_other_forms_say_so():
    demand_spoken({}, "an earlier one")
    demand_spoken({"spoken": [1, 9], "from": "9.0.0"}, "it")
    with pytest.raises(Conflict, match=r"is Inland 9.0.0, and this is .* restart the factory"):
        demand_spoken({"spoken": [2, 9], "from": "9.0.0"}, "it")


def test_a_process_of_a_later_supervisor_is_shown_as_far_as_it_is_known():
    view = ProcessView("control", "control", ProcessState.RUNNING, 1, 2, 0, inland="9.0.0")
    assert view_from({**view_to(view), "mood": "fine"}) == view
    plain = view_to(view)
    del plain["inland"]
    assert view_from(plain).inland is None


def test_secrets_have_fields_that_are_held_too():
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"record_keys":{},"upstream_keys":{},"x":1}', type=strictly(Secrets))
