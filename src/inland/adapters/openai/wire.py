"""OpenAI's dialect as engines write it: only the fields Inland passes on are decoded."""

import struct
from base64 import b64decode, b64encode
from math import isfinite
from typing import Annotated, Literal

import msgspec

from inland.domain.errors import Damaged
from inland.ports.engine import (
    CallPart,
    Chat,
    Completion,
    Embedding,
    Function,
    JsonSchema,
    Message,
    Piece,
    Task,
    TokenLogprob,
    TopLogprob,
    Work,
)

#: A count of tokens. What lies beyond is nonsense, and no record could hold it.
Tokens = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]


_GIVEN_UP = "abort"
_FINISHES = frozenset({"stop", "length", "content_filter", "tool_calls", "function_call"})


class Logprobs(msgspec.Struct, gc=False):
    """Chat's way (`content`), or that of completions: lists side by side."""

    content: list[TokenLogprob] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None

    def entries(self) -> list[TokenLogprob] | None:
        """One entry a token, whichever way they came."""
        if self.content is not None or self.tokens is None:
            return self.content
        values = self.token_logprobs or [None] * len(self.tokens)
        tops = self.top_logprobs or [None] * len(self.tokens)
        return [
            TokenLogprob(
                token,
                value or 0.0,
                top_logprobs=[TopLogprob(other, its) for other, its in (top or {}).items()],
            )
            for token, value, top in zip(self.tokens, values, tops, strict=False)
        ]


class CallFunction(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class CallDelta(msgspec.Struct, gc=False):
    """A part of a call; whole answers leave `index` out and are counted in order."""

    index: int | None = None
    id: str | None = None
    function: CallFunction = msgspec.field(default_factory=CallFunction)


class Delta(msgspec.Struct, gc=False):
    content: str | None = None
    tool_calls: list[CallDelta] | None = None

    def calls(self) -> list[CallPart] | None:
        """The calls in it, if there are any."""
        if not self.tool_calls:
            return None
        return [
            CallPart(
                number if call.index is None else call.index,
                call.id,
                call.function.name,
                call.function.arguments or "",
            )
            for number, call in enumerate(self.tool_calls)
        ]


class ChunkChoice(msgspec.Struct, gc=False):
    """A choice in an event: chat has a `delta`, completions have `text`."""

    index: int = 0
    delta: Delta = msgspec.field(default_factory=Delta)
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None

    def piece(self, tokens: int | None) -> Piece:
        """It as a piece; `tokens`: the choice's running count, if there is one."""
        if self.finish_reason is None and self.logprobs is None and not self.delta.tool_calls:
            text = self.delta.content if self.text is None else self.text
            return Piece(self.index, text or "", None, None, tokens)
        return Piece(
            self.index,
            (self.delta.content if self.text is None else self.text) or "",
            finish_of(self.finish_reason),
            self.logprobs.entries() if self.logprobs is not None else None,
            tokens,
            self.delta.calls(),
        )


class PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: Tokens | None = None


class Usage(msgspec.Struct, gc=False):
    prompt_tokens: Tokens = 0
    completion_tokens: Tokens | None = 0
    prompt_tokens_details: PromptDetails | None = None

    @property
    def cached(self) -> int:
        """Prompt tokens the engine took from a cache."""
        details = self.prompt_tokens_details
        return (details.cached_tokens or 0) if details is not None else 0


class Timings(msgspec.Struct, gc=False):
    """llama.cpp's running account of one choice."""

    predicted_n: Tokens
    prompt_n: Tokens = 0
    cache_n: Tokens = 0


class ErrorBody(msgspec.Struct, gc=False):
    message: str | None = None


class Chunk(msgspec.Struct, gc=False):
    """One event of a streamed answer, or the error some servers send in its place."""

    choices: list[ChunkChoice] = []
    usage: Usage | None = None
    timings: Timings | None = None
    error: ErrorBody | None = None


def finish_of(reason: str | None) -> str | None:
    """A finish reason in the dialect's words; an engine's own word for it is a stop.

    Raises Damaged for a vLLM's word that it was stopped in the middle: that is no whole answer.
    """
    if reason == _GIVEN_UP:
        raise Damaged("engine's answer", "it was given up in the middle")
    return reason if reason is None or reason in _FINISHES else "stop"


class AnswerChoice(msgspec.Struct, gc=False):
    """A choice of a whole answer: chat has a `message`, completions have `text`."""

    index: int = 0
    message: Delta = msgspec.field(default_factory=Delta)
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None

    def piece(self) -> Piece:
        """All of it."""
        message, text = self.message, self.text
        return Piece(
            self.index,
            (message.content if text is None else text) or "",
            finish_of(self.finish_reason or "stop"),
            None if self.logprobs is None else self.logprobs.entries(),
            None,
            message.calls() if message.tool_calls else None,
        )


class Vector(msgspec.Struct, gc=False):
    """An embedding, as base64 of little-endian float32 or as numbers."""

    index: int
    embedding: str | list[float]

    def piece(self) -> Piece:
        """It as a choice's text. Raises Damaged where it is no vector of finite numbers."""
        return Piece(self.index, as_base64(self.embedding), "stop")


class Answer(msgspec.Struct, gc=False):
    """A whole answer; embeddings have `data`."""

    choices: list[AnswerChoice] = []
    data: list[Vector] = []
    usage: Usage | None = None


class ErrorAnswer(msgspec.Struct, gc=False):
    error: ErrorBody | str | None = None
    message: str | None = None


class StreamOptions(msgspec.Struct, frozen=True, gc=False):
    """`continuous_usage_stats`: vLLM's word for usage in every event."""

    include_usage: bool = True
    continuous_usage_stats: bool | msgspec.UnsetType = msgspec.UNSET


class ToolBody(msgspec.Struct, frozen=True, gc=False):
    function: Function
    type: str = "function"


class NameBody(msgspec.Struct, frozen=True, gc=False):
    name: str


class ChosenBody(msgspec.Struct, frozen=True, gc=False):
    function: NameBody
    type: str = "function"


class FormatBody(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    type: str
    json_schema: JsonSchema | None = None


class LoraBody(msgspec.Struct, frozen=True, gc=False):
    """One of llama.cpp's adapters, by its place in the list it was started with."""

    id: int
    scale: float = 1.0


class Sampled(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """What requests for text have in common. Fields at their defaults are left out."""

    model: str
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int = 1
    max_tokens: int | None = None
    stop: list[str] | None = None
    seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    cache_prompt: bool | None = None  # llama.cpp's
    id_slot: int | None = None  # llama.cpp's
    timings_per_token: bool | None = None  # llama.cpp's
    lora: list[LoraBody] | None = None  # llama.cpp's
    cache_salt: str | None = None  # vLLM's


class ChatBody(Sampled, omit_defaults=True, gc=False, kw_only=True):
    """A chat request as sent to an engine."""

    messages: list[Message]
    logprobs: bool = False
    top_logprobs: int | None = None
    tools: list[ToolBody] = []
    tool_choice: str | ChosenBody | None = None
    parallel_tool_calls: bool | None = None
    response_format: FormatBody | None = None


class CompletionBody(Sampled, omit_defaults=True, gc=False, kw_only=True):
    """A completion request as sent to an engine."""

    prompt: str | list[str]
    logprobs: int | None = None


class EmbeddingBody(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """An embedding request as sent to an engine."""

    model: str
    input: str | list[str]
    dimensions: int | None = None
    encoding_format: str | None = None


Body = ChatBody | CompletionBody | EmbeddingBody

CHUNK = msgspec.json.Decoder(Chunk)
ANSWER = msgspec.json.Decoder(Answer)
ERROR = msgspec.json.Decoder(ErrorAnswer)
ENCODER = msgspec.json.Encoder()
_WITH_USAGE = StreamOptions()

#: How much of an engine's error text is passed on.
ERROR_CHARACTERS = 500


def error_text(body: bytes) -> str:
    """What an engine's error answer says, shortened; empty if it says nothing readable."""
    try:
        answer = ERROR.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    text = answer.error.message if isinstance(answer.error, ErrorBody) else answer.error
    return (text or answer.message or "")[:ERROR_CHARACTERS]


def as_base64(vector: str | list[float]) -> str:
    """Little-endian float32, in base64. Raises Damaged for what is no vector of finite numbers."""
    try:
        data = b64decode(vector, validate=True) if isinstance(vector, str) else _packed(vector)
        numbers = struct.unpack(f"<{len(data) // 4}f", data)
    except (ValueError, OverflowError, struct.error):
        raise Damaged("engine's answer", "an embedding that is no vector") from None
    if not numbers or not all(map(isfinite, numbers)):
        raise Damaged("engine's answer", "an embedding that is empty or not finite")
    return b64encode(data).decode()


def _packed(numbers: list[float]) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def path_of(task: Task) -> str:
    """Where a task is asked for, below `/v1`."""
    match task:
        case Chat():
            return "/chat/completions"
        case Completion():
            return "/completions"
        case Embedding():
            return "/embeddings"


def body_of(work: Work, model: str, *, stream: bool) -> Body:
    """`work` for an engine that calls the model `model`."""
    match work.task:
        case Chat() as chat:
            return _chat(chat, work, model, stream=stream)
        case Completion(prompts):
            return CompletionBody(
                prompt=prompts[0] if len(prompts) == 1 else prompts,
                logprobs=(work.top_logprobs or 0) if work.logprobs else None,
                model=model,
                stream=stream,
                stream_options=_WITH_USAGE if stream else None,
                n=work.n,
                max_tokens=work.max_tokens,
                stop=work.stop,
                seed=work.seed,
                temperature=work.temperature,
                top_p=work.top_p,
                presence_penalty=work.presence_penalty,
                frequency_penalty=work.frequency_penalty,
            )
        case Embedding(texts, dimensions):
            one = texts[0] if len(texts) == 1 else texts
            return EmbeddingBody(model=model, input=one, dimensions=dimensions)


def _chat(chat: Chat, work: Work, model: str, *, stream: bool) -> ChatBody:
    chosen = ChosenBody(NameBody(chat.function)) if chat.function is not None else None
    return ChatBody(
        messages=chat.messages,
        logprobs=work.logprobs,
        top_logprobs=work.top_logprobs,
        tools=[ToolBody(function) for function in chat.tools] if chat.tools else [],
        tool_choice=chosen or chat.tool_choice,
        parallel_tool_calls=chat.parallel_tool_calls,
        response_format=_format(chat.json) if chat.json else None,
        model=model,
        stream=stream,
        stream_options=_WITH_USAGE if stream else None,
        n=work.n,
        max_tokens=work.max_tokens,
        stop=work.stop,
        seed=work.seed,
        temperature=work.temperature,
        top_p=work.top_p,
        presence_penalty=work.presence_penalty,
        frequency_penalty=work.frequency_penalty,
    )


def _format(wanted: JsonSchema | Literal[True]) -> FormatBody:
    return FormatBody("json_object") if wanted is True else FormatBody("json_schema", wanted)
