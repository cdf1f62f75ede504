"""A chat request: decoded into types that cannot be wrong, anything unknown refused by its name.

`user`, `metadata` and `store: false` are accepted and have no effect: nothing is stored. Fields of
a message that hold null say nothing, so an answer's message can be sent back as it came.
"""

import re
from typing import Annotated, Literal

import msgspec

from inland.domain.limits import Limits
from inland.gateway.errors import Refused, invalid
from inland.ports.engine import Message, Work

_Unit = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)]
_Positive = Annotated[int, msgspec.Meta(ge=1, le=1 << 31)]


class TextPart(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: Literal["text"]
    text: str


class Turn(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    role: Literal["system", "user", "assistant"]
    content: str | list[TextPart]
    refusal: None = None
    annotations: None = None
    audio: None = None
    function_call: None = None
    tool_calls: None = None
    parsed: None = None


class StreamOptions(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    include_usage: bool = False


class ChatBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The fields of OpenAI's chat completions that Inland knows."""

    model: str
    messages: list[Turn]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: _Positive | None = None
    max_tokens: _Positive | None = None
    max_completion_tokens: _Positive | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: _Unit | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    store: Literal[False] | None = None


_BODY = msgspec.json.Decoder(ChatBody)
_UNKNOWN = re.compile(r"unknown field `(.*?)`")
_AT = re.compile(r" - at `(?:key in )?\$\.?(.*?)`")
_MISSING = re.compile(r"missing required field `(.*?)`")


def decode(body: bytes) -> ChatBody:
    """The request in `body`. Raises Refused naming the field that is wrong."""
    try:
        return _BODY.decode(body)
    except msgspec.ValidationError as error:
        raise _wrong_field(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid(None, "The body is not JSON.", "invalid_json") from None


def _wrong_field(text: str) -> Refused:
    at = _AT.search(text)
    path = at.group(1) if at else ""
    if unknown := _UNKNOWN.search(text):
        name = ".".join(part for part in (path, unknown.group(1)) if part)
        return invalid(name, f"`{name}` is unknown or not supported here; leave it out.")
    if missing := _MISSING.search(text):
        name = ".".join(part for part in (path, missing.group(1)) if part)
        return invalid(name, f"`{name}` is missing.", "missing_field")
    what = _AT.sub("", text)
    return invalid(path or None, f"`{path}`: {what}." if path else f"{what}.")


def work_of(body: ChatBody, limits: Limits, slots: int) -> Work:
    """What the engine is to do for `body`. Raises Refused. `slots`: the most choices that fit."""
    if not 1 <= len(body.messages) <= limits.messages:
        raise invalid("messages", f"Give 1 to {limits.messages} messages.")
    if body.stream_options is not None and not body.stream:
        raise invalid("stream_options", "`stream_options` goes with `stream: true` only.")
    if body.top_logprobs is not None and not body.logprobs:
        raise invalid("top_logprobs", "`top_logprobs` goes with `logprobs: true` only.")
    n = body.n or 1
    most = min(limits.choices, slots)
    if n > most:
        raise invalid("n", f"`n` is at most {most} here.")
    if body.seed is not None and not -(1 << 63) <= body.seed < 1 << 63:
        raise invalid("seed", "`seed` is a 64-bit integer.")
    return Work(
        [Message(turn.role, _text(turn.content)) for turn in body.messages],
        bool(body.stream),
        n,
        _max_tokens(body, limits),
        _stops(body.stop, limits),
        body.seed,
        body.temperature,
        body.top_p,
        body.presence_penalty,
        body.frequency_penalty,
        bool(body.logprobs),
        body.top_logprobs,
        answer_tokens=limits.answer_tokens,
    )


def _text(content: str | list[TextPart]) -> str:
    return content if isinstance(content, str) else "\n".join(part.text for part in content)


def _max_tokens(body: ChatBody, limits: Limits) -> int | None:
    older, newer = body.max_tokens, body.max_completion_tokens
    if older is not None and newer is not None and older != newer:
        raise invalid("max_tokens", "`max_tokens` and `max_completion_tokens` differ; give one.")
    asked, name = (older, "max_tokens") if newer is None else (newer, "max_completion_tokens")
    if asked is not None and asked > limits.answer_tokens:
        raise invalid(name, f"`{name}` is at most {limits.answer_tokens} here.")
    return asked


def _stops(stop: str | list[str] | None, limits: Limits) -> list[str] | None:
    if stop is None:
        return None
    stops = [stop] if isinstance(stop, str) else stop
    if len(stops) > limits.stops:
        raise invalid("stop", f"Give at most {limits.stops} stop sequences.")
    if not all(1 <= len(one) <= limits.stop_characters for one in stops):
        raise invalid("stop", f"A stop sequence has 1 to {limits.stop_characters} characters.")
    return stops or None
