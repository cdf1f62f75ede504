"""Turns an engine's events into pieces, and keeps count by the engine's own account.

llama.cpp: `timings.predicted_n` runs per choice; after a choice's finish event comes a usage event
that belongs to that choice. Others: one usage for all choices, at the end or (if it runs) in each.
"""

from inland.adapters.openai.wire import Chunk, ChunkChoice, Timings, Usage
from inland.domain.errors import Damaged
from inland.ports.engine import Counts, Piece


class PerChoice:
    """llama.cpp's way of counting."""

    def __init__(self, choices: int) -> None:
        self._choices = choices
        self._tokens: dict[int, int] = {}
        self._finished: list[int] = []
        self._prompt = 0
        self._cached = 0

    def take(self, chunk: Chunk) -> list[Piece]:
        """The pieces in one event. Raises Damaged for a choice that there is not."""
        pieces = [self._piece(choice, chunk.timings) for choice in chunk.choices]
        if chunk.usage is not None and self._finished:  # after a finish, or beside it
            index = self._finished.pop(0)
            self._tokens[index] = chunk.usage.completion_tokens or 0
            self._prompt, self._cached = chunk.usage.prompt_tokens, chunk.usage.cached
        return [piece for piece in pieces if says_something(piece)]

    def _piece(self, choice: ChunkChoice, timings: Timings | None) -> Piece:
        if not 0 <= choice.index < self._choices or len(self._finished) > self._choices:
            raise Damaged("engine", "it answered with a choice nobody asked for")
        if timings is not None:
            self._tokens[choice.index] = timings.predicted_n
            self._prompt, self._cached = timings.prompt_n + timings.cache_n, timings.cache_n
        if choice.finish_reason is not None:
            self._finished.append(choice.index)
        return choice.piece(self._tokens.get(choice.index))

    def counts(self) -> Counts:
        """What the engine has done so far."""
        return Counts(self._prompt, sum(self._tokens.values()), self._cached)


class PerAnswer:
    """Everybody else's way: usage over all choices; events are counted where there is none yet."""

    def __init__(self, choices: int) -> None:
        self._choices = choices
        self._usage: Usage | None = None
        self._events = 0
        self._since_usage = 0

    def take(self, chunk: Chunk) -> list[Piece]:
        """The pieces in one event."""
        pieces = []
        for choice in chunk.choices:
            piece = choice.piece(None)
            if piece.text or piece.calls:
                self._events += 1
                self._since_usage += 1
                pieces.append(piece)
            elif piece.finish or piece.logprobs:
                pieces.append(piece)
        if chunk.usage is not None:
            self._usage, self._since_usage = chunk.usage, 0
        if self._choices > 1 or not pieces or self._usage is None or self._since_usage:
            return pieces
        running = self._usage.completion_tokens
        return [Piece(p.index, p.text, p.finish, p.logprobs, running, p.calls) for p in pieces]

    def counts(self) -> Counts:
        """The last usage seen; an estimate of one token an event where text came after it."""
        usage = self._usage
        if usage is None:
            return Counts(0, self._events, 0, exact=False)
        done = (usage.completion_tokens or 0) + self._since_usage
        return Counts(usage.prompt_tokens, done, usage.cached, exact=self._since_usage == 0)


def says_something(piece: Piece) -> bool:
    """Whether anything in it is for the caller; engines open with an empty one."""
    return bool(piece.text or piece.logprobs or piece.finish or piece.calls)
