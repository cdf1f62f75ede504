"""The worker of batches: a controller of the plant's ticker. It looks which are under way, and
carries each on from where it stands: its input is held to its form, asked, made files.

A batch that was cut anywhere is found again by its state; what was answered is not asked again.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from threading import Event, Lock
from typing import Any

from inland.batches.asking import Asking, Line
from inland.batches.batches import book_end, moved
from inland.batches.keys import BatchKeys, demand_kept
from inland.batches.output import Output
from inland.domain.assets import Action
from inland.domain.batches import Batch, BatchState, Flaw
from inland.domain.errors import BadInput, Conflict, Denied, InlandError, NotFound
from inland.domain.limits import MIB, Limits
from inland.lines.reading import Readers, Use, place
from inland.plant.changes import Changes
from inland.plant.files import file_id
from inland.ports.keys import KeyGone, KeyWithdrawn

#: Requests read at once, in bytes; the longest that one may be.
_PAGE_BYTES = 8 * MIB
#: How long control's end waits for what was asked, in seconds.
_STOP_ALL_S = 5.0
#: How long a batch rests that could not be gone on with (a full disk), and one whose files may not
#: be made as things are (a full limit), in seconds.
_REST_S, _REFUSED_REST_S = 5.0, 60.0
#: How long behind its window answers are kept of which no file may be made, in seconds.
_KEPT_S = 7 * 86_400
_WHY_CHARS = 2000
_ASKED = "asked"
_EXPIRED = "This request could not be executed before the completion window expired."
#: What lets nothing more be asked; anything else passes, or is a fault of our own: it rests, and is
#: tried again.
_FOR_GOOD = (BadInput, Conflict, Denied, NotFound, KeyGone, KeyWithdrawn)
_log = logging.getLogger("inland.batches")


class _Ended(InlandError):
    """Nothing more is to be done for it here."""


class _Late(InlandError):
    """Its window is over."""


@dataclass
class _Refused(InlandError):
    """Its files may not be made as things are."""

    why: str


@dataclass(slots=True)
class _Work:
    """A batch that is carried on. `ending`: why it is to stop."""

    ending: str = ""
    over: Event = field(default_factory=Event)


class Worker:
    """Carries on the batches of one factory."""

    def __init__(
        self,
        changes: Changes,
        readers: Readers,
        asking: Asking,
        output: Output,
        keys: BatchKeys,
        limits: Limits,
        begin: Callable[[Callable[[], None]], None],
    ) -> None:
        """`begin` runs what takes long on a thread that ends with the process."""
        self._changes = changes
        self._readers = readers
        self._asking = asking
        self._output = output
        self._keys = keys
        self._limits = limits
        self._begin = begin
        self._lock = Lock()
        self._works: dict[str, _Work] = {}
        self._rests: dict[str, float] = {}
        self._stopping = self._is_idle = False

    def rests(self) -> bool:
        """As controllers do: no batch was under way."""
        return self._is_idle

    def step(self) -> None:
        """Begin to carry on what is under way and nobody carries on."""
        with self._changes.store.read() as transaction:
            under_way = transaction.batches.under_way()
        self._is_idle = not under_way
        with self._lock:
            if self._stopping:
                return
            now_s = self._changes.clock.monotonic()
            self._rests = {batch: until for batch, until in self._rests.items() if until > now_s}
            taken = self._works.keys() | self._rests.keys()
            new = [one for one in under_way if one.id not in taken]
            self._works.update({one.id: _Work() for one in new})
        for one in new:
            self._begin(lambda one=one: self._carry_on(one))  # type: ignore[misc]

    def stop(self, batch: str, why: str) -> None:
        """Nothing new is asked for a batch; when what was asked is answered, it goes on by what it
        is then."""
        with self._lock:
            work = self._works.get(batch)
        if work is None:
            return
        work.ending = why
        self._readers.end(batch, why)

    def stop_all(self) -> None:
        """For control's end: batches go on with the next one."""
        with self._lock:
            self._stopping = True
            works = dict(self._works)
        for batch, work in works.items():
            work.ending = "the factory stops"
            self._readers.end(batch, work.ending)
        for work in works.values():
            work.over.wait(_STOP_ALL_S)

    def _carry_on(self, batch: Batch) -> None:
        work = self._works[batch.id]
        try:
            self._to_its_end(batch, work)
        except _Ended:
            pass
        except _Refused as refused:
            told = {"batch": batch.id, "why": refused.why}
            _log.warning("the files of a batch may not be made yet", extra=told)
            self._rest(batch, _REFUSED_REST_S)
        except Exception:  # noqa: BLE001 - one batch's fault must stop no other
            _log.exception("a batch rests where it stands", extra={"batch": batch.id})
            self._rest(batch, _REST_S)
        finally:
            with self._lock:
                del self._works[batch.id]
            work.over.set()

    def _rest(self, batch: Batch, seconds: float) -> None:
        with self._lock:
            self._rests[batch.id] = self._changes.clock.monotonic() + seconds

    def _to_its_end(self, batch: Batch, work: _Work) -> None:
        while True:
            try:
                batch = self._gone_on_with(batch, work)
            except _FOR_GOOD as error:
                if work.ending:
                    raise _Ended from None
                batch = self._failing(batch, str(error)[:_WHY_CHARS])

    def _gone_on_with(self, batch: Batch, work: _Work) -> Batch:
        """It as it is next. Raises _Ended once it is over."""
        match batch.state:
            case BatchState.VALIDATING:
                return self._validated(batch)
            case BatchState.IN_PROGRESS:
                return self._asked(batch, work)
            case BatchState.FINALIZING:
                why = batch.flaws[0].message if batch.flaws else ""
                why = _EXPIRED if batch.becomes is BatchState.EXPIRED else why
                self._end(self._finished(batch, work), batch.becomes, why)
            case BatchState.CANCELLING:
                self._end(self._finished(batch, work), BatchState.CANCELLED, "it was cancelled")
            case _:
                pass
        raise _Ended

    def _finished(self, batch: Batch, work: _Work) -> Batch:
        """With its files. Raises _Refused where they may not be made yet, and _Ended where they
        never will: it failed then."""
        try:
            return self._output.made(batch)
        except _FOR_GOOD as error:
            if work.ending:
                raise _Ended from None
            why = str(error)[:_WHY_CHARS]
            late_s = self._changes.clock.unix_us() // 1_000_000 - batch.expires_unix_s
            if late_s < _KEPT_S and not self._output.is_lost(batch, error):
                raise _Refused(why) from None
        left = self._output.left(batch)
        self._end(replace(left, flaws=left.flaws or _flaws(why)), BatchState.FAILED, why)
        raise _Ended

    def _validated(self, batch: Batch) -> Batch:
        told = self._read(batch, "batch")
        flaws = tuple(Flaw(**one) for one in told["flaws"])
        if flaws:
            self._end(replace(batch, flaws=flaws), BatchState.FAILED, flaws[0].message)
            raise _Ended
        return self._moved(replace(batch, total=int(told["total"])), BatchState.IN_PROGRESS)

    def _asked(self, batch: Batch, work: _Work) -> Batch:
        def stop() -> None:
            if work.ending:
                raise _Ended

        def go_on() -> None:
            stop()
            if self._changes.clock.unix_us() // 1_000_000 >= batch.expires_unix_s:
                raise _Late
            with self._changes.store.read() as transaction:
                by = transaction.state.key(batch.by)
            demand_kept(batch, by)

        if batch.becomes is not BatchState.EXPIRED:
            try:
                self._asking.ask(batch, self._lines(batch, stop), go_on)
            except _Late:  # on the books before anything says so that is kept
                batch = self._moved(replace(batch, becomes=BatchState.EXPIRED), batch.state)
        if batch.becomes is BatchState.EXPIRED:
            lines = self._lines(batch, stop)
            self._asking.keep_unasked(batch, lines, "batch_expired", _EXPIRED)
        return self._moved(batch, BatchState.FINALIZING)

    def _lines(self, batch: Batch, stop: Callable[[], None]) -> Iterator[Line]:
        """Those without an answer, some of them in memory at a time."""
        first = 1
        while first <= batch.total:
            stop()
            found = [Line(*one) for one in self._read(batch, "requests", first)]
            last = found[-1].number
            with self._changes.store.read() as transaction:
                answered = transaction.batches.answered(batch.id, first, last)
            yield from (line for line in found if line.number not in answered)
            first = last + 1

    def _read(self, batch: Batch, what: str, first: int = 1) -> Any:
        asked = {
            "endpoint": batch.endpoint,
            "requests": self._limits.batch_requests,
            "line_bytes": min(self._limits.body_bytes, _PAGE_BYTES),
            "page_bytes": _PAGE_BYTES,
            "first": first,
        }
        words = [what, "input", f"={file_id(batch.input)}", place(batch.input)]
        words += [_ASKED, f"={_ASKED}", place(_ASKED)]
        uses, more = [Use(batch.input, Action.SERVE)], {_ASKED: json.dumps(asked).encode()}
        return self._readers.read(batch.id, batch.tenant, uses, words, more)

    def _moved(self, batch: Batch, state: BatchState) -> Batch:
        """It is on the books in `state`, which it may be in already. Raises _Ended for one that
        became another meanwhile."""
        with self._changes.store.write() as transaction:
            found = transaction.batches.batch(batch.id)
            if found is None or found.state is not batch.state:
                raise _Ended
            if state is not batch.state:
                batch = moved(batch, state, self._changes)
            transaction.batches.put_batch(batch)
        return batch

    def _failing(self, batch: Batch, why: str) -> Batch:
        """Nothing more is asked for it; what was answered becomes files."""
        batch = replace(batch, flaws=_flaws(why), becomes=BatchState.FAILED)
        if batch.state is BatchState.VALIDATING:
            self._end(batch, BatchState.FAILED, why)
            raise _Ended
        return self._moved(batch, BatchState.FINALIZING)

    def _end(self, batch: Batch, state: BatchState, why: str = "") -> None:
        with self._changes.act(batch.id) as (transaction, book):
            found = transaction.batches.batch(batch.id)
            if found is None or found.state is not batch.state:
                raise _Ended
            book_end(transaction, book, moved(batch, state, self._changes), why)
        self._keys.end(batch)


def _flaws(why: str) -> tuple[Flaw, ...]:
    return (Flaw("batch_failed", why),)
