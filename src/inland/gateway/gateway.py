"""A gateway: its sockets, its desk, and the beat that keeps time for them."""

import asyncio
import contextlib
import gc
import logging
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from inland.decide.slots import Share
from inland.domain.limits import Limits
from inland.domain.plant import EngineKind
from inland.domain.snapshot import Secrets, Snapshot
from inland.gateway.budgets import Budgets
from inland.gateway.desk import Desk
from inland.gateway.doorway import Doorway
from inland.gateway.handshakes import Handshakes
from inland.gateway.hosts import Hosts
from inland.gateway.own_callers import IsForeign, OwnCaller
from inland.gateway.protocol import Connection
from inland.gateway.refusals import Refusals
from inland.gateway.relay import Relay
from inland.gateway.rulings import DeciderOf
from inland.gateway.salts import SECRET_BYTES, Salts
from inland.gateway.shared import Journal, Randomness, Shared
from inland.gateway.sources import Sources
from inland.ledger.frames import FrameKind
from inland.ports.clock import Clock, Entropy
from inland.ports.engine import Engine
from inland.ports.feed import Sharing

#: How often queues, lease and time limits are looked at; and connections and folded refusals.
TICK_S = 0.25
SWEEP_S = 1.0
#: How often the end looks whether anything is still under way.
_DRAIN_LOOK_S = 0.02
#: Objects made and not yet freed before the collector looks for cycles among them.
_YOUNG_OBJECTS = 50_000
#: Connections that wait to be taken: a burst of callers is not turned into a second of waiting.
_BACKLOG = 1024
_log = logging.getLogger("inland.gateway")


class Gateway:
    """The token path of one process. Everything happens on the loop that runs `serve`."""

    def __init__(  # noqa: PLR0913, PLR0917 - everything a gateway is made of comes from outside
        self,
        limits: Limits,
        clock: Clock,
        entropy: Entropy,
        journal: Journal,
        residency_factory: DeciderOf,
        engines: Mapping[EngineKind, Engine],
        relay_path: str,
        writer_id: str,
        lease_ok: Callable[[], bool],
        share: Share = Share(),  # noqa: B008 - a value, never changed
        differs: Callable[[], str] = str,
        hosts: Hosts | None = None,
        proxies: tuple[str, ...] = (),
        tls: Callable[[], ssl.SSLContext] | None = None,
        lane_logs: Callable[[str], Callable[[bytes], None] | None] | None = None,
        hurry: Callable[[], None] = lambda: None,
    ) -> None:
        """`residency_factory`: what decides under a snapshot. `lease_ok`: whether control still
        knows of us. `share`: which of the engines' slots are ours. `differs`: why control's
        version and ours do not fit each other; empty where they do. `tls`: what each connection
        is secured by; without it all is plain HTTP. `lane_logs`: what opens the log of a
        deployment's lane; without it there is none. `hurry`: asks control now."""
        self.budgets = Budgets(clock, limits.answer_tokens, hurry)
        self._shared = Shared(
            limits,
            clock,
            Randomness(entropy),
            journal,
            engines,
            lease_ok,
            writer_id,
            Refusals(limits.refusals_per_tenant),
            Salts(entropy(SECRET_BYTES)),
            self.budgets,
            differs=differs,
            lane_logs=lane_logs,
        )
        metrics, sources = self._shared.metrics, Sources(limits, clock.monotonic, proxies)
        doorway = Doorway(hosts or Hosts(), sources, metrics.turned_away)
        relay = Relay(relay_path, limits, metrics, sources.failed)
        desk = self._desk = Desk(self._shared, relay, residency_factory, share, doorway)
        self._sources, self._handshakes = sources, None
        if tls is not None:
            self._handshakes = Handshakes(doorway, limits, tls, lambda over: Connection(desk, over))

    def apply(self, snapshot: Snapshot, secrets: Secrets) -> None:
        """Put a snapshot in force. What it denies, queued or running, is ended when it returns."""
        self._desk.apply(snapshot, secrets)
        self.budgets.apply(snapshot.budgets)

    @property
    def sharing(self) -> Sharing:
        """What it has to do as one of several, and takes over of the engines' slots."""
        return self._desk

    @property
    def version(self) -> int:
        """The snapshot in force; 0 before the first."""
        return self._desk.version

    def metrics(self) -> dict[str, Any]:
        """Counts since the start, and what is there now, as plain values."""
        lanes = self._desk.lanes.items()
        gauge = {
            "queue_waiting": [[[name], lane.waiting] for name, lane in lanes],
            "requests_running": [[[name], lane.running] for name, lane in lanes],
        }
        gauges: dict[str, Any] = {
            name: {"labels": ["deployment"], "series": series} for name, series in gauge.items()
        }
        gauges["replica_requests"] = {"labels": ["replica"], "series": self._desk.by_replica()}
        writable = int(self._shared.journal.healthy())
        gauges["journals_writable"] = {"labels": [], "series": [[[], writable]]}
        open_now = len(self._desk.connections)
        gauges["connections"] = {"labels": [], "series": [[[], open_now]]}
        gauges["sources_owing"] = {"labels": [], "series": [[[], self._sources.owing]]}
        shaking = 0 if self._handshakes is None else self._handshakes.count
        gauges["handshakes"] = {"labels": [], "series": [[[], shaking]]}
        return self._shared.metrics.export(gauges)

    async def serve(
        self,
        sockets: list[socket.socket],
        stop: asyncio.Event,
        own: tuple[socket.socket, IsForeign] | None = None,
    ) -> None:
        """Answer on `sockets` (listening) until `stop`; then finish what is under way, bounded.
        `own`: a unix socket for the factory's own work, which is never TLS, and who may not."""
        loop = asyncio.get_running_loop()
        servers = await self._listen(sockets)
        if own is not None:
            listener, is_foreign = own
            servers.append(
                await loop.create_unix_server(
                    lambda: OwnCaller(lambda: Connection(self._desk), is_foreign),
                    sock=listener,
                    backlog=_BACKLOG,
                )
            )
        _collect_rarely()
        beat = loop.create_task(self._beat())
        try:
            await stop.wait()
        finally:
            if self._handshakes is not None:
                self._handshakes.close()
            for server in servers:
                server.close()
            await self._drain()
            beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beat
            self._flush_refusals()
            for engine in self._shared.engines.values():
                await engine.close()

    async def _listen(self, sockets: list[socket.socket]) -> list[asyncio.AbstractServer]:
        if self._handshakes is not None:
            for one in sockets:
                self._handshakes.listen(one)
            return []
        loop = asyncio.get_running_loop()
        return [
            await loop.create_server(lambda: Connection(self._desk), sock=one, backlog=_BACKLOG)
            for one in sockets
        ]

    async def _beat(self) -> None:
        elapsed_s = 0.0
        while True:
            await asyncio.sleep(TICK_S)
            elapsed_s += TICK_S
            try:
                self._desk.tick()
                self.budgets.tick()
                if elapsed_s >= SWEEP_S:
                    elapsed_s = 0.0
                    self._desk.sweep()
                    self.budgets.beat()
                    self._flush_refusals()
            except Exception:  # noqa: BLE001 - a beat that stopped would leave time limits unheld
                _log.exception("the gateway's beat failed; it goes on")

    def _flush_refusals(self) -> None:
        """While nothing can be written they go on being folded, which is bounded."""
        shared = self._shared
        if not shared.journal.healthy():
            return
        records = shared.refusals.flush(
            shared.new_id, shared.salt, shared.clock.unix_us(), shared.writer
        )
        for record in records:
            shared.journal.append(FrameKind.RECORD, record, _nothing_waits)

    def _is_busy(self) -> bool:
        """Whether an answer is being made, or has not left yet."""
        return bool(self._desk.active) or any(one.is_sending() for one in self._desk.connections)

    async def _drain(self) -> None:
        """No request is cut while its time lasts; idle connections are closed."""
        for connection in self._desk.connections:
            connection.close_when_idle()
        desk = self._desk
        until = desk.now() + self._shared.limits.drain_s
        while self._is_busy() and desk.now() < until:  # noqa: ASYNC110 - bounded
            await asyncio.sleep(_DRAIN_LOOK_S)
        for connection in self._desk.connections:
            connection.abort()


def _nothing_waits() -> None:
    """A refusal's caller was answered long ago."""


def _collect_rarely() -> None:
    """Requests leave no cycles behind: the collector finds next to nothing, so it looks rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 100)
