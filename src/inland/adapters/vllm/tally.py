"""Turns vLLM's events into pieces, and keeps count by its own account.

Asked for running usage, it says in each event how far that one choice is, and the length of that
choice's prompt; the last event, without choices, has the sums, and what came from the cache.
Choices of the first prompt come first.
"""

from inland.adapters.openai.tally import says_something
from inland.adapters.openai.wire import Chunk, ChunkChoice, Usage
from inland.domain.errors import Damaged
from inland.ports.engine import Counts, Piece, Work


class PerPrompt:
    """vLLM's way of counting."""

    def __init__(self, work: Work) -> None:
        self._n, self._choices = work.n, work.choices
        self._tokens: dict[int, int] = {}
        self._prompts: dict[int, int] = {}
        self._sum: Usage | None = None

    def take(self, chunk: Chunk) -> list[Piece]:
        """The pieces in one event. Raises Damaged for a choice that there is not."""
        if not chunk.choices:
            self._sum = chunk.usage or self._sum
            return []
        pieces = [self._piece(choice, chunk.usage) for choice in chunk.choices]
        return [piece for piece in pieces if says_something(piece)]

    def _piece(self, choice: ChunkChoice, usage: Usage | None) -> Piece:
        if not 0 <= choice.index < self._choices:
            raise Damaged("engine", "it answered with a choice nobody asked for")
        if usage is not None:
            self._tokens[choice.index] = usage.completion_tokens or 0
            self._prompts[choice.index // self._n] = usage.prompt_tokens
        return choice.piece(self._tokens.get(choice.index))

    def counts(self) -> Counts:
        """What the engine has done so far."""
        done = self._sum
        if done is not None:
            return Counts(done.prompt_tokens, done.completion_tokens or 0, done.cached)
        return Counts(sum(self._prompts.values()), sum(self._tokens.values()))
