"""Control's end of the gateways' shares: who speaks on which connection, and whose process ended.

The feed's thread calls it, inside its lock; it blocks on nothing.
"""

import logging
import os
import selectors
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from inland.adapters.feed.frames import Dealt, Wants, to_frame
from inland.domain.snapshot import Snapshot
from inland.ports.feed import Shares

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Speaker:
    """A gateway's connection, as far as shares go: `heard` is the last demand it sent."""

    waiting: bytearray
    writer: str = ""
    heard: int = 0


@dataclass(frozen=True, slots=True)
class Watched:
    """The process of a gateway, in the selector: readable once it ended."""

    writer: str
    descriptor: int


class Dealing:
    """Slots dealt out among gateways by what they say they have to do."""

    def __init__(self, shares: Shares, selector: selectors.BaseSelector) -> None:
        self._shares = shares
        self._selector = selector
        self._speakers: dict[str, Speaker] = {}
        self._watched: dict[str, Watched] = {}

    def plan(self, snapshot: Snapshot) -> None:
        self._shares.plan(snapshot)

    @property
    def must_look(self) -> bool:
        """Whether slots are wanted, and none is dealt before it is known who lives."""
        return bool(self._speakers) and not self._shares.is_settled()

    def lived(self, pids: Iterable[int]) -> None:
        """Whose processes live, asked until every one of them has spoken."""
        self._shares.lived(pids)

    def wants(self, speaker: Speaker, pid: int, message: Wants) -> None:
        """A gateway has something to do."""
        if speaker.writer != message.writer:
            if message.writer not in self._watched and not self._watch(message.writer, pid):
                return  # nor is anything else heard that it had said
            speaker.writer = message.writer
            self._speakers[message.writer] = speaker
            self._shares.again(message.writer)
        speaker.heard = message.n
        self._shares.wants(message.writer, pid, message.seen, message.demands)

    def _watch(self, writer: str, pid: int) -> bool:
        """Whether it lives. Its end gives back at once what it held."""
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self._shares.ended(writer)
            return False
        except OSError as error:
            why = f"{error}: what it holds when it dies is free when control is started again"
            _log.warning("a gateway's process cannot be watched", extra={"why": why})
            return True
        watched = self._watched[writer] = Watched(writer, descriptor)
        self._selector.register(descriptor, selectors.EVENT_READ, watched)
        return True

    def ended(self, watched: Watched) -> None:
        """Its process is no more, and so nothing that it held is used."""
        self._unwatch(watched)
        self._speakers.pop(watched.writer, None)
        self._shares.ended(watched.writer)

    def _unwatch(self, watched: Watched) -> None:
        del self._watched[watched.writer]
        with suppress(KeyError, ValueError):
            self._selector.unregister(watched.descriptor)
        os.close(watched.descriptor)

    def deal(self, now: float) -> list[bytearray]:
        """Write to whoever has another share now; the buffers written to."""
        written = []
        for writer, (number, portions) in self._shares.portions(now).items():
            speaker = self._speakers.get(writer)
            if speaker is not None:
                speaker.waiting += to_frame(Dealt(number, speaker.heard, portions))
                written.append(speaker.waiting)
        return written

    def close(self) -> None:
        for watched in list(self._watched.values()):
            self._unwatch(watched)
