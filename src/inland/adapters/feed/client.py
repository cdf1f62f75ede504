"""A gateway's end of the feed: it asks each second, runs what it is sent, and knows its lease.

The lease is counted from the moment an ask was sent, so control's count is never the shorter one.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from inland import __version__
from inland.adapters.feed.frames import (
    ASK_EVERY_S,
    ASK_LIMIT_BYTES,
    DEMAND_EVERY_S,
    PUSH_LIMIT_BYTES,
    SPOKEN,
    Answer,
    Ask,
    Dealt,
    Frames,
    Push,
    Wants,
    from_control,
    to_frame,
    unspoken,
)
from inland.domain.allowances import Allowance, Claim
from inland.domain.errors import Damaged
from inland.domain.snapshot import Secrets, Snapshot
from inland.ports.clock import Clock
from inland.ports.feed import Sharing

#: Pauses between attempts to reach control, in seconds.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.5
#: Asks that may be under way unanswered before the connection is given up.
MAX_UNANSWERED = 5
_CHUNK_BYTES = 256 * 1024

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hello:
    """Who asks: the process's name, its pid, and its writer."""

    gateway: str
    pid: int
    writer: str


class Claims(Protocol):
    """`gateway.budgets.Budgets`, as far as the feed knows it."""

    def claims(self) -> Sequence[Claim]:
        """All that is held of hard budgets, to be said to control now."""
        ...

    def take(self, allowances: Sequence[Allowance]) -> None:
        """What control says of the claims it was sent last."""
        ...


async def _end(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """Cancel them, and wait until they have ended; a connection that broke is no fault of theirs.

    Who waits may be cancelled as well, and is: their ends are told apart from that.
    """
    for one in tasks:
        one.cancel()
    for end in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(end, Exception) and not isinstance(end, OSError):
            raise end


class FeedClient:
    """Runs on the gateway's event loop, where `on_snapshot` is called with each new version.

    An `on_snapshot` that raises lets the lease run out: nobody acts on what could not be applied.
    """

    def __init__(
        self,
        path: Path,
        hello: Hello,
        on_snapshot: Callable[[Snapshot, Secrets], None],
        metrics: Callable[[], dict[str, Any] | None],
        clock: Clock,
        sharing: Sharing | None = None,
        budgets: Claims | None = None,
    ) -> None:
        """`sharing`: what of several gateways this one has to do; None where it is the only one."""
        self._budgets = budgets
        self._claimed = 0  # the newest ask with claims, while it is not answered
        self._writer: asyncio.StreamWriter | None = None
        self._path = path
        self._hello = hello
        self._on_snapshot = on_snapshot
        self._metrics = metrics
        self._clock = clock
        self._sharing = sharing
        self._seen = 0
        self._running = 0
        self._digest = ""
        self._refused = ""
        self._until = float("-inf")
        self._asks = 0
        self._sent_at: dict[int, float] = {}

    def lease_ok(self) -> bool:
        """Whether this gateway may dispatch and relay now: it has a snapshot and a lease."""
        return self._running > 0 and self._clock.monotonic() < self._until

    def running(self) -> int:
        """The version decided by; 0 before the first."""
        return self._running

    def refused(self) -> str:
        """Why control and this gateway do not understand each other; empty where they do."""
        return self._refused

    def hurry(self) -> None:
        """Ask now, unless an ask with claims is under way or there is nobody to ask."""
        if self._writer is not None and not self._claimed:
            self._ask(self._writer, None)

    async def run(self) -> None:
        """Stay connected until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path)
            except OSError:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            try:
                await self._talk(reader, writer)
            except Damaged as error:  # the same will come again: there is no hurry
                self._refused = f"what control sends is not understood ({error})"
                _log.error("the feed broke", extra={"why": self._refused})
                pause_s = LONGEST_PAUSE_S
            except OSError as error:
                _log.warning("the feed broke", extra={"why": str(error)})
            except Exception:  # noqa: BLE001 - whatever it is: no lease is the answer
                _log.exception("a snapshot could not be applied")
                pause_s = LONGEST_PAUSE_S
            finally:
                self._sent_at.clear()
                self._writer, self._claimed = None, 0
                writer.transport.abort()
            await asyncio.sleep(pause_s)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        talking = [asyncio.create_task(self._ask_for_ever(writer))]
        if self._sharing is not None:
            self._seen = 0
            self._sharing.begin_anew()
            talking.append(asyncio.create_task(self._tell_for_ever(writer, self._sharing)))
        try:
            await self._listen(reader, writer)
        finally:
            await _end(talking)

    async def _tell_for_ever(self, writer: asyncio.StreamWriter, sharing: Sharing) -> None:
        number = 1
        while True:
            demands = sharing.demands(number)
            if demands:
                writer.write(to_frame(Wants(number, self._hello.writer, self._seen, demands)))
                number += 1
            await asyncio.sleep(DEMAND_EVERY_S)

    async def _ask_for_ever(self, writer: asyncio.StreamWriter) -> None:
        while True:
            self._ask(writer, self._metrics())
            await asyncio.sleep(ASK_EVERY_S)
            if len(self._sent_at) > MAX_UNANSWERED:
                _log.warning("control does not answer the feed")
                writer.transport.abort()
                return

    def _ask(self, writer: asyncio.StreamWriter, metrics: dict[str, Any] | None) -> None:
        self._asks += 1
        self._sent_at[self._asks] = self._clock.monotonic()
        hello = self._hello
        claims: Sequence[Claim] = ()
        if self._budgets is not None and (claims := self._budgets.claims()):
            self._claimed = self._asks
        ask = Ask(
            *(self._asks, hello.gateway, hello.pid, hello.writer, self._running, metrics),
            *(self._digest, SPOKEN, __version__, self._refused, tuple(claims)),
        )
        frame = to_frame(ask)
        if len(frame) > ASK_LIMIT_BYTES:  # a lease matters more than a count
            frame = to_frame(msgspec.structs.replace(ask, metrics=None))
        writer.write(frame)

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames(PUSH_LIMIT_BYTES)
        while data := await reader.read(_CHUNK_BYTES):
            for payload in frames.feed(data):
                message = from_control(payload)
                if isinstance(message, Push):
                    self._apply(message)
                    self._ask(writer, None)
                elif isinstance(message, Dealt):
                    self._seen = message.n
                    if self._sharing is not None:
                        self._sharing.take(message.portions, message.heard)
                else:
                    self._lease(message)

    def _apply(self, push: Push) -> None:
        self._on_snapshot(push.snapshot, push.secrets)
        self._running, self._digest = push.snapshot.version, push.digest

    def _lease(self, answer: Answer) -> None:
        sent = self._sent_at.pop(answer.n, None)
        if sent is None:
            raise Damaged("feed", f"an answer to ask {answer.n}, which was not sent")
        self._sent_at = {n: at for n, at in self._sent_at.items() if n > answer.n}
        refused = answer.refused or unspoken(answer.spoken, answer.inland, "control")
        if refused and not self._refused:
            _log.error("control and this gateway differ", extra={"why": refused})
        self._refused = refused
        if answer.n == self._claimed and self._budgets is not None:
            self._claimed = 0
            self._budgets.take(answer.allowances)
        if not refused:
            self._until = max(self._until, sent + answer.lease_s)
