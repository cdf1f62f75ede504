"""OpenAI's chat dialect as engines write it: only the fields Inland passes on are decoded."""

from typing import Annotated

import msgspec

from inland.ports.engine import Message, TokenLogprob, Work

#: A count of tokens. What lies beyond is nonsense, and no record could hold it.
Tokens = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]


class Logprobs(msgspec.Struct, gc=False):
    content: list[TokenLogprob] | None = None


class Delta(msgspec.Struct, gc=False):
    content: str | None = None


class ChunkChoice(msgspec.Struct, gc=False):
    index: int = 0
    delta: Delta = msgspec.field(default_factory=Delta)
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


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


class AnswerMessage(msgspec.Struct, gc=False):
    content: str | None = None


class AnswerChoice(msgspec.Struct, gc=False):
    message: AnswerMessage
    index: int = 0
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class Answer(msgspec.Struct, gc=False):
    """A whole answer."""

    choices: list[AnswerChoice]
    usage: Usage | None = None


class ErrorAnswer(msgspec.Struct, gc=False):
    error: ErrorBody | str | None = None
    message: str | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool = True


class Body(msgspec.Struct, omit_defaults=True):
    """A request as sent to an engine. Fields at their defaults are left out."""

    model: str
    messages: list[Message]
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
    logprobs: bool = False
    top_logprobs: int | None = None
    cache_prompt: bool | None = None  # llama.cpp's
    id_slot: int | None = None  # llama.cpp's
    timings_per_token: bool | None = None  # llama.cpp's


CHUNK = msgspec.json.Decoder(Chunk)
ANSWER = msgspec.json.Decoder(Answer)
ERROR = msgspec.json.Decoder(ErrorAnswer)
ENCODER = msgspec.json.Encoder()

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


def body_of(work: Work, model: str, *, stream: bool) -> Body:
    """`work` for an engine that calls the model `model`."""
    return Body(
        model,
        work.messages,
        stream,
        StreamOptions() if stream else None,
        work.n,
        work.max_tokens,
        work.stop,
        work.seed,
        work.temperature,
        work.top_p,
        work.presence_penalty,
        work.frequency_penalty,
        work.logprobs,
        work.top_logprobs,
    )
