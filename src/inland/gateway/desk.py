"""Where requests come in: key known, model decided, each goes to its lane or to control."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import Any

from msgspec.structs import replace

from inland.decide.slots import Share
from inland.domain.guards import Side
from inland.domain.ids import is_name
from inland.domain.plant import Deployment, Key, Replica
from inland.domain.shares import Demand, Portion
from inland.domain.snapshot import Secrets, Snapshot
from inland.gateway import keys, models, turns
from inland.gateway.asking import question
from inland.gateway.connections import Connections
from inland.gateway.dialect.asked import Asked, check_needs
from inland.gateway.dialect.routes import ROUTES, Route, is_of_control
from inland.gateway.doorway import Doorway
from inland.gateway.entrance import Entrance
from inland.gateway.errors import (
    INVALID,
    Refused,
    denied,
    no_lease,
    no_such_model,
    no_such_path,
    not_allowed,
    too_many_bodies,
    unknown_key,
)
from inland.gateway.exchange import Answering, Exchange, Incoming, is_token_path
from inland.gateway.guarding import Guarding
from inland.gateway.inquiries import Ear, Inquiries, Panel
from inland.gateway.lane import Lane
from inland.gateway.order import Order
from inland.gateway.protocol import Connection
from inland.gateway.refusals import Folded, folded
from inland.gateway.rejudging import check_allowed, judge, ruled, taken_away, usable
from inland.gateway.relay import Relay, is_open
from inland.gateway.request import Request
from inland.gateway.rulings import DeciderOf, Ruling, Rulings
from inland.gateway.shared import Shared
from inland.gateway.sources import Peer
from inland.ports.engine import Embedding, Work

_log = logging.getLogger("inland.gateway")
_CONTROL_ROUTE = "control"
#: A loop that sweeps once a second and comes back after so many had no core, or was stopped.
_AWAY_S = 4.0
#: What takes a key at control; what else it answers is public.
_OFF_LIMITS = (b"/factory/", b"/metrics")
_JSON = b"content-type: application/json\r\n"


class Desk:
    """All of a gateway's state between its connections and its engines."""

    def __init__(
        self,
        shared: Shared,
        relay: Relay,
        decider_of: DeciderOf,
        share: Share,
        doorway: Doorway,
    ) -> None:
        self.limits = shared.limits
        self.receiving_bytes = 0
        self.connections = Connections(shared.limits, doorway)
        self.lanes: dict[str, Lane] = {}
        self.active: set[Request] = set()
        self.now: Callable[[], float] = shared.clock.monotonic
        self.about_now = self._swept = self.now()
        self._shared = shared
        self._relay = relay
        self._decider_of = decider_of
        self._share = share
        self._fresh = True  # no lane was closed yet: nothing of one is left in an engine
        self._doorway = doorway
        self._rulings: Rulings | None = None
        self._numbers = count(1)
        self.inquiries = Inquiries(shared.limits, self.now, self._inquire)

    @property
    def version(self) -> int:
        """The snapshot in force; 0 before the first."""
        return self._rulings.snapshot.version if self._rulings is not None else 0

    def by_replica(self) -> list[list[Any]]:
        """How many requests each replica works on, of those that work on any: `[[id], count]`."""
        at = Counter(one.replica.id for one in self.active if one.replica and one.is_running())
        return [[[replica], count] for replica, count in at.items()]

    # -- connections

    def peer(self, transport: asyncio.BaseTransport) -> Peer:
        """Who is at the other end of a connection."""
        address, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        scheme = b"http" if transport.get_extra_info("ssl_object") is None else b"https"
        return self._doorway.sources.peer(address, local, scheme)

    def admit(self, headers: list[tuple[bytes, bytes]], peer: Peer) -> bytes:
        """The source of a request, before anything else is done with it. Raises Refused."""
        return self._doorway.admit(headers, peer)

    def opened(self, connection: Connection) -> None:
        self.connections.opened(connection)

    def closed(self, connection: Connection) -> None:
        self.connections.closed(connection)

    def soon(self, call: Callable[[], None]) -> None:
        """Call it once others have had their turn."""
        asyncio.get_running_loop().call_soon(call)

    # -- requests

    def before_body(self, incoming: Incoming, length: int | None) -> None:
        """What is refused whatever follows, and a stranger's, is not read. Raises Refused."""
        if self.receiving_bytes + (length or 0) > self.limits.bodies_bytes:
            raise too_many_bodies()
        path = path_of(incoming)
        route = ROUTES.get(path)
        if route is not None or _is_of_models(path):
            method, name = (b"GET", "models") if route is None else (b"POST", route.name)
            if incoming.method != method:
                raise not_allowed(method.decode())
            self._key(self._in_force(), incoming, name)
        elif not _is_relayed(path):
            raise no_such_path()
        elif self._caller(incoming) == turns.STRANGERS:
            raise self._doorway.failed(incoming.source, unknown_key())

    def handle(self, incoming: Incoming, exchange: Exchange) -> None:
        """Answer it, now or later."""
        route = ROUTES.get(incoming.target)
        try:
            if route is not None:
                self._ask(route, incoming, exchange)
            else:
                self._otherwise(path_of(incoming), incoming, exchange)
        except Refused as refused:
            exchange.refuse(refused)
        except Exception:  # noqa: BLE001 - one request's failure is not its neighbours'
            _log.exception("a request failed inside the gateway")
            exchange.fail()

    def _otherwise(self, path: bytes, incoming: Incoming, exchange: Exchange) -> None:
        """What is no bare path of the token path."""
        if (route := ROUTES.get(path)) is not None:
            self._ask(route, incoming, exchange)
        elif _is_of_models(path):
            self._models(incoming, exchange, path)
        elif not _is_relayed(path):
            exchange.refuse(no_such_path())
        else:
            caller = self._caller(incoming)
            if caller == turns.STRANGERS and not is_open(path):
                self._doorway.check(incoming.source)
            heard = partial(self._relayed, incoming)
            self._relay.handle(incoming, exchange, caller, heard, self._usable(incoming))

    def _in_force(self) -> Rulings:
        """What may be decided from: a snapshot under a lease. Raises Refused."""
        if self._rulings is None or not self._shared.lease_ok():
            raise no_lease(self._shared.differs())
        return self._rulings

    def _unserved(self, incoming: Incoming, route: str) -> Refused:
        """Why nothing may be decided; on the books of who is known by what was in force last."""
        refused = no_lease(self._shared.differs())
        if self._rulings is not None:
            with suppress(Refused):
                key = keys.prove(self._rulings.snapshot, incoming.authorization)
                self._note(key, None, refused, route)
        return refused

    def _key(self, rulings: Rulings, incoming: Incoming, route: str) -> Key:
        """The caller's live key. Raises Refused, on the books where the tenant is known."""
        unix_us = self._shared.clock.unix_us
        shown = incoming.shown or keys.shown(incoming.authorization)
        known = rulings.proofs.recall(shown, unix_us)
        if known is not None:
            return known
        try:
            key = keys.prove(rulings.snapshot, incoming.authorization)
        except Refused as refused:
            self._shared.metrics.unknown_callers.add((route,))
            raise self._doorway.failed(incoming.source, refused) from None
        try:
            keys.check(rulings.snapshot, key, unix_us() // 1_000_000)
        except Refused as refused:
            self._note(key, None, refused, route)
            raise
        rulings.proofs.keep(shown, key)
        return key

    def _caller(self, incoming: Incoming) -> str:
        """Whose turn with control it takes. Whether it may ask is for control to say."""
        if self._rulings is None:
            return turns.OPERATORS  # nobody else is known yet
        try:
            key = keys.prove(self._rulings.snapshot, incoming.authorization)
        except Refused:
            return turns.STRANGERS
        return turns.tenant(key.tenant) if key.tenant is not None else turns.OPERATORS

    def _usable(self, incoming: Incoming) -> str | None:
        """The id of its tenant's key, where that may be used: what may be taken away later."""
        if self._rulings is None:
            return None
        snapshot, now_unix_s = self._rulings.snapshot, self._shared.clock.unix_us() // 1_000_000
        try:
            key = keys.prove(snapshot, incoming.authorization)
            keys.check(snapshot, key, now_unix_s)
        except Refused:
            return None
        return key.id

    def _hold(self, exchange: Exchange, key: Key) -> None:
        """The connection is the tenant's now. Raises Refused, and closes it, beyond its bound."""
        try:
            self.connections.hold(exchange.connection, key.tenant or "")
        except Refused:
            exchange.close_after()
            raise

    def _models(self, incoming: Incoming, exchange: Exchange, path: bytes) -> None:
        if incoming.method != b"GET":
            raise not_allowed("GET")
        rulings = self._in_force()
        key = self._key(rulings, incoming, "models")
        self._hold(exchange, key)
        if path == models.LIST:
            body = models.listing(rulings, key)
        else:
            name = path.removeprefix(models.ONE).decode("latin-1")
            try:
                body = models.one(rulings, key, name)
            except Refused as refused:
                self._note(key, name, refused, "models")
                raise
        exchange.answer(200, _JSON, body)

    def _ask(self, route: Route, incoming: Incoming, exchange: Exchange) -> None:
        if incoming.method != b"POST":
            raise not_allowed("POST")
        arrived = self._shared.clock.monotonic()
        rulings = self._rulings
        if rulings is None or not self._shared.lease_ok():
            raise self._unserved(incoming, route.name)
        key = self._key(rulings, incoming, route.name)
        try:
            self._hold(exchange, key)
            asked = route.decode(incoming.body, self.limits)
        except Refused as refused:
            self._note(key, None, refused, route.name)
            raise
        ruling = rulings.of(key, asked.model, asked.user or "")
        if ruling is None or not ruling.allowed:
            raise self._disallowed(ruling, key, asked.model, route)
        try:
            body = incoming.body
            work = self._work(ruling, asked, len(body))
            if ruling.guarding is None:
                self._begin(ruling, Order(route.name, asked, work, body, arrived), exchange)
            else:
                work, watch = ruling.guarding.let_in(work)
                order = Order(route.name, asked, work, body, arrived, watch)
                self._guarded(ruling, ruling.guarding, order, exchange)
        except Refused as refused:
            self._shared.refusals.add(folded(ruling, refused, route.name))
            raise

    def _guarded(
        self, ruling: Ruling, guarding: Guarding, order: Order, exchange: Exchange
    ) -> None:
        """Let it in, once classifiers were asked about it where a guard says so."""
        panel = partial(Panel, self.inquiries, ruling.key)
        if guarding.asks[Side.OUTPUT] and not isinstance(order.work.task, Embedding):
            order = replace(order, judges=partial(panel, guarding.asks[Side.OUTPUT]))
        if not guarding.asks[Side.INPUT]:
            self._begin(ruling, order, exchange)
            return
        go_on = partial(self._let_in, ruling, order, exchange)
        entrance = Entrance(self._shared, exchange, ruling, order, go_on)
        entrance.begin(panel(guarding.asks[Side.INPUT]))

    def _let_in(self, ruling: Ruling, order: Order, exchange: Exchange) -> None:
        """A request that stood outside for a while is decided again. Raises Refused."""
        new = ruled(ruling, self._in_force(), self._shared.clock.unix_us() // 1_000_000)
        check_allowed(new)
        self._begin(new, order, exchange)

    def _inquire(self, key: Key, model: str, told: str, text: str, ear: Ear) -> None:
        """Put a guard's question to a classifier, as a request of `key`'s. Raises Refused."""
        rulings, now = self._in_force(), self._shared.clock
        live = rulings.snapshot.keys.get(key.id)
        if live is None:
            raise unknown_key()
        keys.check(rulings.snapshot, live, now.unix_us() // 1_000_000)
        ruling = rulings.of_deployment(live, model)  # no tenant's release takes its place
        if ruling is None or not ruling.allowed:
            raise no_such_model(model)
        order = question(told, text, ruling, now.monotonic())
        size = len(order.received)
        if not self._shared.bodies.has_room(ruling.tenant.id, size, self.limits.bodies_bytes):
            raise too_many_bodies()
        self._begin(ruling, order, ear)

    def _disallowed(self, ruling: Ruling | None, key: Key, model: str, route: Route) -> Refused:
        """What is told of a ruling that does not allow it, or is none; on the books."""
        if ruling is None or not ruling.verdict.visible:
            refused = no_such_model(model)
            self._note(key, model, refused, route.name)
        else:
            refused = denied(ruling.name, ruling.verdict.rules, ruling.verdict.remedy)
            self._shared.refusals.add(folded(ruling, refused, route.name))
        return refused

    def _work(self, ruling: Ruling, asked: Asked, size: int) -> Work:
        """What an engine is to do. Raises Refused."""
        if not self._shared.bodies.has_room(ruling.tenant.id, size, self.limits.bodies_bytes):
            raise too_many_bodies()
        lane = self.lanes[ruling.deployment.name]
        check_needs(asked.needs(), ruling.supports, asked.model)
        work, deployment = asked.work(self.limits, lane.slots), ruling.deployment
        return _fitted(work, deployment) if deployment.engine.is_ours else work

    def _begin(self, ruling: Ruling, order: Order, exchange: Answering) -> None:
        lane, number = self.lanes[ruling.deployment.name], next(self._numbers)
        Request(self._shared, exchange, lane, ruling, order, number, self.active).begin()

    def _note(self, key: Key, model: str | None, refused: Refused, route: str) -> None:
        """A refusal before there is a ruling, on the books."""
        if self._rulings is None or key.tenant is None:
            return
        snapshot = self._rulings.snapshot
        self._shared.refusals.add(
            Folded(
                tenant=key.tenant,
                key=key.id,
                deployment=model if model is not None and is_name(model) else None,
                status=refused.status,
                code=refused.code or refused.type,
                rules=(),
                snapshot=snapshot.version,
                policy=snapshot.policy_digest,
                route=route,
            )
        )

    def _relayed(self, incoming: Incoming, status: int) -> None:
        """Control refused a known tenant's key: on the books, like what is refused here."""
        path = path_of(incoming)
        off_limits = path.startswith(_OFF_LIMITS) or is_of_control(path)
        if self._rulings is None or not (400 <= status < 500 and off_limits):
            return
        try:
            key = keys.prove(self._rulings.snapshot, incoming.authorization)
        except Refused:
            return
        code = HTTPStatus(status).phrase.lower().replace(" ", "_")
        self._note(key, None, Refused(status, INVALID, code, ""), _CONTROL_ROUTE)

    # -- snapshots

    def apply(self, snapshot: Snapshot, secrets: Secrets) -> None:
        """Take over a snapshot: everything queued or running is decided again before it returns,
        and of what control answered to a key that is refused now nothing leaves any more.

        Whatever control sends last is in force, a lower version too (a database put back): control
        is told which version runs here, and what it is told must be so.
        """
        rulings = Rulings(
            snapshot, secrets, self._decider_of(snapshot), self._shared.writer, self.limits.rulings
        )
        self._rulings = rulings
        now_unix_s = self._shared.clock.unix_us() // 1_000_000
        under_way = list(self.active)
        for request in under_way:  # first everything is judged, then anything may start
            request.denied = judge(request, rulings, now_unix_s)
        self._apply_lanes(snapshot)
        for request in under_way:
            if request.denied is not None:
                request.stop(request.denied)
            elif (gone := taken_away(request, snapshot)) is not None:
                request.leave(gone)
        self._relay.judge(lambda key: usable(snapshot, key, now_unix_s))

    def _apply_lanes(self, snapshot: Snapshot) -> None:
        for gone in self.lanes.keys() - snapshot.deployments.keys():
            self.lanes.pop(gone).close()
            self._fresh = False
        replicas: dict[str, list[Replica]] = {name: [] for name in snapshot.deployments}
        for replica in snapshot.replicas.values():
            if replica.deployment in replicas:
                replicas[replica.deployment].append(replica)
        for name, deployment in snapshot.deployments.items():
            if name not in self.lanes:
                self.lanes[name] = self._lane(name)
            sold = [one for one in snapshot.contracts.values() if one.deployment == name]
            profile = snapshot.profiles.get(name)
            self.lanes[name].apply(deployment, replicas[name], sold, profile)

    def _lane(self, name: str) -> Lane:
        shared = self._shared
        timings, logs = shared.metrics.timings(name), shared.lane_logs
        record = None if logs is None else logs(name)
        return Lane(
            self.limits, shared.clock, self._share, timings, fresh=self._fresh, record=record
        )

    # -- shares, as one of several gateways

    def begin_anew(self) -> None:
        """Control is told all again."""
        for lane in self.lanes.values():
            lane.begin_anew()

    def demands(self, number: int) -> dict[str, Demand]:
        """By deployment, what there is to do and was not told yet, for message `number`."""
        told = {name: lane.demand(number) for name, lane in self.lanes.items()}
        return {name: demand for name, demand in told.items() if demand is not None}

    def take(self, portions: dict[str, Portion], heard: int) -> None:
        """Take over what control dealt when it had heard message `heard`."""
        for name in portions.keys() & self.lanes.keys():
            self.lanes[name].take(portions[name], heard)

    # -- time

    def tick(self) -> None:
        """A few times a second: the lease, the queues, and what had all its time."""
        now = self.about_now = self.now()
        if not self._shared.lease_ok():
            for request in list(self.active):
                request.stop(no_lease(self._shared.differs()))
        for lane in list(self.lanes.values()):
            lane.tick()
        self.inquiries.tick()
        for request in [one for one in self.active if one.is_late(now)]:
            request.time_out()

    def sweep(self) -> None:
        """Once a second: connections that take too long. Where we were away ourselves callers have
        not been read for as long, and none of them is late for that."""
        now = self.now()
        was_away, self._swept = now - self._swept > _AWAY_S, now
        for connection in () if was_away else self.connections:
            connection.sweep(now)
        self._doorway.sources.sweep()


def _fitted(work: Work, deployment: Deployment) -> Work:
    """An engine of ours is asked for no more than a slot holds: one rounds its own size up, one
    refuses."""
    if work.answer_tokens is None:
        return work
    return replace(work, answer_tokens=min(work.answer_tokens, deployment.context))


def _is_of_models(path: bytes) -> bool:
    return path == models.LIST or path.startswith(models.ONE)


def _is_relayed(path: bytes) -> bool:
    """Whether control answers it, if anybody does, of what is no path of `ROUTES`."""
    return not is_token_path(path) or is_of_control(path)


def path_of(incoming: Incoming) -> bytes:
    """The target without its query."""
    return incoming.target.partition(b"?")[0]
