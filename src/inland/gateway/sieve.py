"""Between an engine's call and its request: what an engine says waits here for its classifiers.

It is asked about in batches; one goes on, in its order, when all about it were heard, but for its
last characters: the next one's questions have them too, so what lies over the edge leaves with
neither. The engine is read a little ahead, and no further. What is only noted waits for nothing,
but for the end.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from inland.decide.guard.questions import OVERLAP, Answer
from inland.decide.guard.rules import Rule
from inland.domain.guards import Act
from inland.gateway.errors import Refused
from inland.gateway.guarding import CONTENT_FILTER, rule_of, unanswered
from inland.gateway.inquiries import Found, Panel
from inland.ports.engine import Call, End, Ending, Piece

#: Batches that are asked about at once, at most: beyond them the engine is not read.
AHEAD = 2


class Judged(Protocol):
    """A request, as its sieve sees it."""

    def pieces(self, pieces: Sequence[Piece]) -> None: ...

    def ended(self, end: End) -> None: ...

    def cut(self, last: Sequence[Piece]) -> None:
        """With these the answer is whole, though its engine goes on."""
        ...

    def stop(self, refused: Refused) -> None: ...


class _Batch:
    """Pieces, and by choice what they say. `found`: None until all was heard."""

    __slots__ = ("found", "pieces", "texts")

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.texts: dict[int, str] = {}
        self.found: list[Found] | None = None


class Sieve:
    """One call's: its sink, and to its request the call."""

    def __init__(
        self, request: Judged, choices: int, panel: Panel, note: Callable[[Rule], None]
    ) -> None:
        """`note`: is told of each rule that found something."""
        self._request, self._panel, self._note = request, panel, note
        self._choices = choices
        self._overlap = panel.characters // OVERLAP
        self._call: Call | None = None
        self._batch = _Batch()
        self._asked: deque[_Batch] = deque()
        self._before: dict[int, str] = {}
        self._carried: list[Piece] = []
        self._finished: set[int] = set()
        self._cut: set[int] = set()
        self._end: End | None = None
        self._over = self._held = self._stalled = False

    def begin(self, call: Call) -> Call:
        """`call` is the one whose sink this is; what its request is to hold in its stead."""
        self._call = call
        return self

    # -- as the engine's call sees it

    def pieces(self, pieces: Sequence[Piece]) -> None:
        if self._over:
            return
        batch = self._batch
        batch.pieces += pieces
        for piece in pieces:
            if said := _said(piece):
                batch.texts[piece.index] = batch.texts.get(piece.index, "") + said
        if not self._panel.blocks:
            self._request.pieces(pieces)
        if (
            sum(map(len, batch.texts.values())) >= self._panel.characters // 2
        ):  # a window has room for the edge
            self._ask()

    def ended(self, end: End) -> None:
        if not self._over and end.how is Ending.COMPLETE:
            self._end = end
            self._ask()
            return
        self._close()
        self._request.ended(end)

    # -- as its request sees it

    def cancel(self) -> None:
        self._close()
        if self._end is not None:
            asyncio.get_running_loop().call_soon(self._request.ended, self._end)
        elif self._call is not None:
            self._call.cancel()

    def pause(self) -> None:
        self._stalled = True
        self._flow()

    def resume(self) -> None:
        self._stalled = False
        self._flow()

    # -- as the classifiers see it

    def _ask(self) -> None:
        batch, self._batch = self._batch, _Batch()
        self._asked.append(batch)
        texts = [(text, self._before.get(index, "")) for index, text in batch.texts.items()]
        for index, text in batch.texts.items():
            self._before[index] = (self._before.get(index, "") + text)[-self._overlap :]
        self._panel.ask(texts, partial(self._heard, batch))
        self._flow()

    def _heard(self, batch: _Batch, found: list[Found]) -> None:
        batch.found = found
        while self._asked and self._asked[0].found is not None and not self._over:
            self._let_go(self._asked.popleft())
        self._flow()
        if self._end is not None and not self._asked and not self._over:
            self._close()
            self._request.ended(self._end)

    def _let_go(self, batch: _Batch) -> None:
        """What it says goes on, but for choices in which something was found."""
        cut, silent = self._judged(batch)
        if silent is not None:
            self._request.stop(silent)
            return
        if not self._panel.blocks:
            return
        self._cut |= cut
        last = self._clean(batch)
        last += [Piece(index, "", CONTENT_FILTER) for index in sorted(cut)]
        self._finished |= {one.index for one in last if one.finish is not None}
        if last:
            self._request.pieces(last)
        over = len(self._finished) == self._choices and self._end is None
        if cut and over and not self._over:  # it may have ended there
            self._request.cut(())

    def _clean(self, batch: _Batch) -> list[Piece]:
        """What may go on. The last of choices that are not over is carried to the next batch."""
        pieces = [one for one in (*self._carried, *batch.pieces) if one.index not in self._cut]
        ended = {one.index for one in pieces if one.finish is not None}
        is_last = self._end is not None and not self._asked
        room: dict[int, int] = {}
        carried: list[Piece] = []
        if not is_last:
            for piece in reversed(pieces):
                held = room.get(piece.index, 0)
                if piece.index not in ended and held < self._overlap:
                    room[piece.index] = held + len(_said(piece))
                    carried.append(piece)
        self._carried = carried[::-1]
        kept = {id(one) for one in carried}
        return [one for one in pieces if id(one) not in kept]

    def _judged(self, batch: _Batch) -> tuple[set[int], Refused | None]:
        """Choices to be cut; why there can be no answer, where it was to be asked about and
        could not."""
        choices, cut = list(batch.texts), set[int]()
        silent = None
        for one in batch.found or ():
            index, rule = choices[one.text], rule_of(one.guard, one.answer)
            if index in self._cut:
                continue
            self._note(rule)
            if one.guard.act is not Act.BLOCK:
                continue
            if one.answer is Answer.FOUND:
                cut.add(index)
            elif one.guard.fails_closed:
                silent = unanswered(one.guard)
        return cut, silent

    def _close(self) -> None:
        self._over = True
        self._panel.close()

    def _flow(self) -> None:
        """Read the engine, or do not: whoever holds it up."""
        if self._call is None or self._end is not None or self._over:
            return
        before = self._held
        self._held = self._stalled or (self._panel.blocks and len(self._asked) >= AHEAD)
        if self._held:
            self._call.pause()  # once more: the first time there may have been no connection
        elif before:
            self._call.resume()


def _said(piece: Piece) -> str:
    return piece.text + "".join(one.arguments for one in piece.calls or ())
