"""Work on several prompts as one call: a part for each, one after the other, counts added up."""

from collections.abc import Callable, Sequence

import msgspec

from inland.ports.engine import (
    Call,
    Chat,
    Completion,
    Counts,
    Embedding,
    End,
    Ending,
    Piece,
    Sink,
    Work,
)

Begin = Callable[[Work, Sink], Call]


def parts_of(work: Work) -> list[Work]:
    """`work` cut into pieces of one prompt or text each."""
    match work.task:
        case Chat():
            return [work]
        case Completion(prompts):
            return [_with(work, Completion([prompt])) for prompt in prompts]
        case Embedding(texts, dimensions):
            return [_with(work, Embedding([text], dimensions)) for text in texts]


def _with(work: Work, task: Completion | Embedding) -> Work:
    return msgspec.structs.replace(work, task=task)


class InParts:
    """The call as its caller sees it, and the sink of the part under way."""

    def __init__(self, parts: Sequence[Work], begin: Begin, sink: Sink) -> None:
        self._parts = iter(parts)
        self._begin = begin
        self._sink = sink
        self._choices = 0  # of the parts before this one
        self._counts = Counts()
        self._paused = self._stopping = False
        self._part: Work
        self._call: Call
        self._next()

    def _next(self) -> bool:
        part = next(self._parts, None)
        if part is None:
            return False
        self._part = part
        self._call = self._begin(part, self)
        if self._paused:
            self._call.pause()
        return True

    # -- what the caller asks

    def cancel(self) -> None:
        self._stopping = True
        self._call.cancel()

    def pause(self) -> None:
        self._paused = True
        self._call.pause()

    def resume(self) -> None:
        self._paused = False
        self._call.resume()

    # -- what the part under way brings

    def pieces(self, pieces: Sequence[Piece]) -> None:
        moved = [_moved(piece, self._choices, self._part.choices) for piece in pieces]
        self._sink.pieces(moved)

    def ended(self, end: End) -> None:
        self._counts = _sum(self._counts, end.counts)
        self._choices += self._part.choices
        if end.how is Ending.COMPLETE and not self._stopping and self._next():
            return
        how = Ending.STOPPED if self._stopping and end.how is Ending.COMPLETE else end.how
        self._sink.ended(msgspec.structs.replace(end, how=how, counts=self._counts))


def _moved(piece: Piece, before: int, choices: int) -> Piece:
    """The piece under its number in the whole; one that nobody asked for stays so."""
    index = before + piece.index if 0 <= piece.index < choices else -1
    return msgspec.structs.replace(piece, index=index)


def _sum(one: Counts, two: Counts) -> Counts:
    return Counts(
        one.prompt + two.prompt,
        one.completion + two.completion,
        one.cached + two.cached,
        exact=one.exact and two.exact,
    )
