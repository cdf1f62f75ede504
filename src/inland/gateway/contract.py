"""The token path as OpenAPI 3.1: schemas made from the types that decode what callers send, and
from types that say what they are answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

import msgspec

from inland.gateway.dialect.chat import ChatBody
from inland.gateway.dialect.completions import CompletionBody
from inland.gateway.dialect.embeddings import EmbeddingBody

_JSON, _EVENTS = "application/json", "text/event-stream"
_REF = "#/components/schemas/{name}"


class _Exact(msgspec.Struct, forbid_unknown_fields=True):
    """An object with these fields and no other."""


class Fault(_Exact):
    """What was refused, in OpenAI's words."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(_Exact):
    """OpenAI's error object."""

    error: Fault


class TopToken(_Exact):
    token: str
    logprob: float
    bytes: list[int] | None


class ChosenToken(_Exact):
    token: str
    logprob: float
    bytes: list[int] | None
    top_logprobs: list[TopToken]


class Logprobs(_Exact):
    content: list[ChosenToken] | None
    refusal: None


class CalledFunction(_Exact):
    name: str
    arguments: str


class ToolCall(_Exact):
    id: str
    type: Literal["function"]
    function: CalledFunction


class AnswerMessage(_Exact):
    role: Literal["assistant"]
    content: str | None
    refusal: None
    tool_calls: list[ToolCall] | msgspec.UnsetType = msgspec.UNSET


class Choice(_Exact):
    index: int
    message: AnswerMessage
    logprobs: Logprobs | None
    finish_reason: str


class CachedTokens(_Exact):
    cached_tokens: int


class Usage(_Exact):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens


class ChatCompletion(_Exact):
    """A whole answer. `id` names its record: a receipt can be had for it."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class FunctionPart(_Exact, omit_defaults=True):
    arguments: str
    name: str | msgspec.UnsetType = msgspec.UNSET


class CallPart(_Exact, omit_defaults=True):
    """A part of a call: its id and name come with the first."""

    index: int
    function: FunctionPart
    id: str | msgspec.UnsetType = msgspec.UNSET
    type: Literal["function"] | msgspec.UnsetType = msgspec.UNSET


class Delta(_Exact, omit_defaults=True):
    """What an event adds to a choice."""

    role: Literal["assistant"] | msgspec.UnsetType = msgspec.UNSET
    content: str | msgspec.UnsetType | None = msgspec.UNSET
    tool_calls: list[CallPart] | msgspec.UnsetType = msgspec.UNSET


class ChunkChoice(_Exact):
    index: int
    delta: Delta
    logprobs: Logprobs | None
    finish_reason: str | None


class ChatCompletionChunk(_Exact, omit_defaults=True):
    """One event of a stream. `usage`: only where it was asked for; null but in the last event."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | msgspec.UnsetType | None = msgspec.UNSET


class TokenLists(_Exact):
    """Log probabilities as completions have them: lists side by side."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class TextChoice(_Exact):
    text: str
    index: int
    logprobs: TokenLists | None
    finish_reason: str


class TextCompletion(_Exact):
    """A whole answer: the choices of the first prompt come first."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage


class TextChunkChoice(_Exact):
    text: str
    index: int
    logprobs: TokenLists | None
    finish_reason: str | None


class TextCompletionChunk(_Exact, omit_defaults=True):
    """One event of a stream of completions."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChunkChoice]
    usage: Usage | msgspec.UnsetType | None = msgspec.UNSET


class Vector(_Exact):
    """A text's vector: numbers, or base64 of little-endian float32 where that was asked for."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Spent(_Exact):
    prompt_tokens: int
    total_tokens: int


class Vectors(_Exact):
    """A vector for each text, in order."""

    object: Literal["list"]
    data: list[Vector]
    model: str
    usage: Spent


class ServedModel(_Exact):
    """A deployment that the key may call, and what it supports."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    features: list[str]


class ServedModels(_Exact):
    """Every deployment that the key may know of."""

    object: Literal["list"]
    data: list[ServedModel]


@dataclass(frozen=True, slots=True)
class Operation:
    """One route. `event`: what a stream's events hold. `refusals`: statuses beside `_ALWAYS`."""

    id: str
    method: str
    path: str
    summary: str
    answer: type[msgspec.Struct]
    body: type[msgspec.Struct] | None = None
    event: type[msgspec.Struct] | None = None
    refusals: tuple[int, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str | None:
        """The parameter in the path, if it has one."""
        _, brace, rest = self.path.partition("{")
        return rest.removesuffix("}") if brace else None


#: Of what an engine works on: no such model, a queue that is full, an engine that fails or is slow.
_WORK = (404, 429, 502, 504)
#: A key that may not; a request that is no HTTP, too slow, too large, or of an unknown encoding.
_ALWAYS = (400, 401, 403, 408, 413, 414, 417, 421, 429, 431, 500, 501, 503)
_OF_A_RECORD = {
    "inland-receipt": "The id of the answer's record.",
    "inland-entry": "The SHA-256 of that record, in hexadecimal; a stream says it in a comment "
    "before `[DONE]`.",
}

#: Every route of the token path; a path that stands anywhere else in this room fails a test.
OPERATIONS = (
    Operation(
        "chat.completions",
        "post",
        "/v1/chat/completions",
        "A chat completion; with `stream: true` as server-sent events.",
        ChatCompletion,
        ChatBody,
        ChatCompletionChunk,
        _WORK,
        _OF_A_RECORD,
    ),
    Operation(
        "completions",
        "post",
        "/v1/completions",
        "Prompts gone on with; with `stream: true` as server-sent events.",
        TextCompletion,
        CompletionBody,
        TextCompletionChunk,
        _WORK,
        _OF_A_RECORD,
    ),
    Operation(
        "embeddings",
        "post",
        "/v1/embeddings",
        "A vector for each text.",
        Vectors,
        EmbeddingBody,
        None,
        _WORK,
        _OF_A_RECORD,
    ),
    Operation("models", "get", "/v1/models", "Deployments the key may call.", ServedModels),
    Operation(
        "models.one", "get", "/v1/models/{model}", "One of them.", ServedModel, refusals=(404,)
    ),
)


def token_path() -> dict[str, Any]:
    """`paths` and `components` of every route of the token path."""
    shapes = [one for op in OPERATIONS for one in (op.answer, op.body, op.event) if one is not None]
    _, schemas = msgspec.json.schema_components((*shapes, ErrorBody), ref_template=_REF)
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return {"paths": paths, "components": {"schemas": schemas}}


def _described(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": ["tokens"],
        "summary": operation.summary,
        "security": [{"key": []}],
        "x-inland-roles": ["member", "tenant-admin"],
    }
    if operation.name is not None:
        path = {"name": operation.name, "in": "path", "required": True}
        described["parameters"] = [path | {"schema": {"type": "string"}}]
    if operation.body is not None:
        content = {_JSON: {"schema": _reference(operation.body)}}
        described["requestBody"] = {"required": True, "content": content}
    statuses = sorted({*_ALWAYS, *operation.refusals})
    described["responses"] = {"200": _answered(operation)} | {
        str(status): _refused(status) for status in statuses
    }
    return described


def _answered(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {_JSON: {"schema": _reference(operation.answer)}}
    if operation.event is not None:
        content[_EVENTS] = {"schema": _event(operation.event)}
    answered: dict[str, Any] = {"description": "OK", "content": content}
    if operation.headers:
        answered["headers"] = {
            name: {"description": told, "schema": {"type": "string"}}
            for name, told in operation.headers.items()
        }
    return answered


def _event(shape: type[msgspec.Struct]) -> dict[str, Any]:
    """One server-sent event; the last holds `[DONE]`."""
    held = {"type": "string", "contentMediaType": _JSON, "contentSchema": _reference(shape)}
    data = {"anyOf": [{"const": "[DONE]"}, held]}
    properties = {"data": data, "event": {"const": "message"}}
    return {"type": "object", "properties": properties, "required": ["data"]}


def _refused(status: int) -> dict[str, Any]:
    content = {_JSON: {"schema": _reference(ErrorBody)}}
    refused: dict[str, Any] = {"description": HTTPStatus(status).phrase, "content": content}
    if status in {429, 503}:
        wait = {"description": "Seconds to wait.", "schema": {"type": "integer"}}
        refused["headers"] = {"retry-after": wait | {"required": True}}
    return refused


def _reference(shape: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=shape.__name__)}
