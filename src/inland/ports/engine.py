"""What the token path needs of an engine: a chat call, told as it happens, counted by the engine.

An engine never sees more of a caller's request than `Work` holds. All methods are called on the
event loop's thread and none of them blocks.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from inland.domain.plant import Residue


class Message(msgspec.Struct, frozen=True):
    """One turn of the conversation. `role` is system, user or assistant."""

    role: str
    content: str


class TopLogprob(msgspec.Struct, frozen=True):
    """An alternative to a token, as OpenAI's dialect writes it."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class TokenLogprob(msgspec.Struct, frozen=True):
    """A token with its log probability (natural logarithm) and the likeliest alternatives."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] = []


class Work(msgspec.Struct, frozen=True):
    """What an engine is asked to do: the allow-list of fields, already checked.

    `answer_tokens`: the most it may make of one answer where the caller left `max_tokens` out.
    """

    messages: list[Message]
    stream: bool = False
    n: int = 1
    max_tokens: int | None = None
    stop: list[str] | None = None
    seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    answer_tokens: int | None = None


class Target(msgspec.Struct, frozen=True):
    """Where to do it: a replica's address (unix socket or URL) and the model's name over there.

    `key` is the bearer token of a server that wants one; it is never shown or logged. `slot`: where
    an engine of ours works on it (None: where it likes); unless `reuse`, it clears that slot first,
    and nothing of it serves this request.
    """

    replica: str
    address: str
    model: str
    key: str | None = None
    slot: int | None = None
    reuse: bool = False

    def __repr__(self) -> str:
        return f"Target({self.replica})"


class Piece(msgspec.Struct, frozen=True):
    """A bit of one choice. `tokens`: the engine's running count for that choice, if kept."""

    index: int
    text: str
    finish: str | None = None
    logprobs: list[TokenLogprob] | None = None
    tokens: int | None = None


class Counts(msgspec.Struct, frozen=True):
    """Tokens by the engine's own account; `exact` is False where it gave none and we estimated.

    `completion` is summed over choices; `prompt` counts the prompt once.
    """

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    exact: bool = True


class Ending(StrEnum):
    """How a call ended."""

    COMPLETE = "complete"
    STOPPED = "stopped"  # because we asked
    REFUSED = "refused"  # the engine answered with an error
    GONE = "gone"  # it died, hung up or was never there


class End(msgspec.Struct, frozen=True):
    """The end of a call. `status`, `why`: a refusing engine's. `connected`: it was reached.
    `residue`: what is left of it in its slot, of an engine that keeps prompts."""

    how: Ending
    counts: Counts = Counts()
    status: int = 0
    why: str = ""
    connected: bool = True
    residue: Residue = Residue.PENDING


class Sink(Protocol):
    """Who hears what a call brings. `ended` comes exactly once, last, never from inside `call`."""

    def pieces(self, pieces: Sequence[Piece]) -> None:
        """What one read from the engine brought, in order."""
        ...

    def ended(self, end: End) -> None:
        """Nothing follows."""
        ...


class Call(Protocol):
    """One piece of work under way."""

    def cancel(self) -> None:
        """Stop the engine's work. `ended` follows, within a bounded time, with the last counts."""
        ...

    def pause(self) -> None:
        """Read no more from the engine until `resume`."""
        ...

    def resume(self) -> None: ...


class Engine(Protocol):
    """A program that serves models. It must never share one tenant's prompts with another's."""

    def call(self, target: Target, work: Work, sink: Sink) -> Call:
        """Begin `work`; everything that comes of it is told to `sink`."""
        ...

    async def close(self) -> None:
        """Give up connections kept for later."""
        ...


class Prober(Protocol):
    """How control finds out whether a replica works. Blocks, within a bounded time."""

    def produces(self, address: str, model: str) -> bool:
        """Whether the replica at `address` just produced a token."""
        ...
