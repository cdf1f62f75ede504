"""What the token path needs of an engine: work, told as it happens, counted by the engine.

An engine never sees more of a caller's request than `Work` holds. All methods are called on the
event loop's thread and none of them blocks.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Literal, Protocol

import msgspec

from inland.domain.plant import Feature, Residue


class Function(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A function the model may call. `parameters`: a JSON schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class CalledFunction(msgspec.Struct, frozen=True, gc=False):
    """A function and the arguments it is called with: a JSON text, which may be wrong."""

    name: str
    arguments: str


class ToolCall(msgspec.Struct, frozen=True, gc=False):
    """A call the model asked for earlier in the conversation, as OpenAI's dialect writes it."""

    id: str
    function: CalledFunction
    type: Literal["function"] = "function"


class Message(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One turn of the conversation, as OpenAI's dialect writes it: what is None is left out.

    `role` is system, user, assistant or tool.
    """

    role: str
    content: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None


class JsonSchema(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What an answer must look like."""

    name: str
    schema: dict[str, Any] = {}
    description: str | None = None
    strict: bool | None = None


class Chat(msgspec.Struct, frozen=True, gc=False):
    """Go on with a conversation.

    `tool_choice`: auto, none, required, or `function` to call that one. `json`: any object, or one
    that a schema describes.
    """

    messages: list[Message]
    tools: list[Function] = []
    tool_choice: str | None = None
    function: str | None = None
    parallel_tool_calls: bool | None = None
    json: JsonSchema | bool = False


class Completion(msgspec.Struct, frozen=True, gc=False):
    """Go on with each of `prompts`: choices of the first prompt come first."""

    prompts: list[str]


class Embedding(msgspec.Struct, frozen=True, gc=False):
    """A vector for each of `texts`: a choice whose text is the vector (`Piece`)."""

    texts: list[str]
    dimensions: int | None = None


Task = Chat | Completion | Embedding


class TopLogprob(msgspec.Struct, frozen=True, gc=False):
    """An alternative to a token, as OpenAI's dialect writes it."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class TokenLogprob(msgspec.Struct, frozen=True, gc=False):
    """A token with its log probability (natural logarithm) and the likeliest alternatives."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] = []


class Work(msgspec.Struct, frozen=True, gc=False):
    """What an engine is asked to do: the allow-list of fields, already checked.

    `n`: choices for each prompt.
    `answer_tokens`: the most it may make of one answer where the caller left `max_tokens` out.
    """

    task: Task
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

    @property
    def choices(self) -> int:
        """How many choices the answer has."""
        match self.task:
            case Chat():
                return self.n
            case Completion(prompts):
                return self.n * len(prompts)
            case Embedding(texts):
                return len(texts)


class Target(msgspec.Struct, frozen=True, gc=False):
    """Where to do it: a replica's address (unix socket or URL) and the model's name over there.

    `key` is the bearer token of a server that wants one; it is never shown or logged. `slot`: where
    an engine of ours works on it (None: where it likes); unless `reuse`, it clears that slot first,
    and nothing of it serves this request. `salt`: what an engine that shares a prompt cache among
    all it serves is to keep this prompt apart by: of one tenant alone, and told to nobody else.
    `adapter`: which of the replica's adapters answers; None for the model as it is.
    """

    replica: str
    address: str
    model: str
    key: str | None = None
    slot: int | None = None
    reuse: bool = False
    salt: str | None = None
    adapter: int | None = None

    def __repr__(self) -> str:
        return f"Target({self.replica})"


class CallPart(msgspec.Struct, frozen=True, gc=False):
    """A bit of call number `index` of one choice: its id and name once, its arguments in parts."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class Piece(msgspec.Struct, frozen=True, gc=False):
    """A bit of one choice. `tokens`: the engine's running count for that choice, if kept.

    Of an embedding, `text` is the vector: base64 of its numbers as little-endian float32.
    """

    index: int
    text: str
    finish: str | None = None
    logprobs: list[TokenLogprob] | None = None
    tokens: int | None = None
    calls: list[CallPart] | None = None


class Counts(msgspec.Struct, frozen=True, gc=False):
    """Tokens by the engine's own account; `exact` is False where it gave none and we estimated.

    `completion` is summed over choices; `prompt` counts each prompt once.
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


class End(msgspec.Struct, frozen=True, gc=False):
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

    def prove(self, address: str, model: str) -> tuple[Feature, ...] | None:
        """What the chat template of the replica at `address` has, if the replica just produced a
        token (and a vector, where it makes them); None if it did not."""
        ...
