"""The client of a llama.cpp server on a unix socket: a connection a call, text always streamed.

Its whole answers count wrongly for n > 1, and it closes a connection after a stream without saying
so. Fields reach it by allow-list. It reuses what lies in a slot only where it is told to; what a
call left there is told by what the engine was seen to do. `parts.py` has why prompts go singly.
"""

from msgspec.structs import replace

from inland.adapters.llama_cpp.parts import InParts, parts_of
from inland.adapters.llama_cpp.sockets import vectors_beside
from inland.adapters.openai.readers import Streamed, Whole
from inland.adapters.openai.tally import PerChoice
from inland.adapters.openai.unix_call import UnixCall
from inland.adapters.openai.wire import (
    ENCODER,
    ChatBody,
    CompletionBody,
    EmbeddingBody,
    LoraBody,
    body_of,
    path_of,
)
from inland.ports.engine import Call, Chat, Embedding, End, Sink, Target, Work

_TOO_LONG = "too large to process"
#: llama.cpp takes this seed to mean "any".
_ANY_SEED = 0xFFFFFFFF
_HEAD = (
    b"POST /v1%b HTTP/1.1\r\nhost: engine\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
)


def encode(work: Work, target: Target) -> bytes:
    """The request's bytes, head and body."""
    body = body_of(_one_function(work), target.model, stream=True)
    if isinstance(body, EmbeddingBody):
        body.encoding_format = "base64"
    else:
        body.max_tokens = work.max_tokens or work.answer_tokens
        body.cache_prompt, body.timings_per_token = target.reuse, True
        body.id_slot = target.slot
        if target.adapter is not None:
            body.lora = [LoraBody(target.adapter)]
        if work.seed is not None:
            body.seed = min(work.seed & _ANY_SEED, _ANY_SEED - 1)
        if work.logprobs:
            _ask_for_logprobs(body, max(1, work.top_logprobs or 0))
    data = ENCODER.encode(body)
    return _HEAD % (path_of(work.task).encode(), len(data)) + data


def _ask_for_logprobs(body: ChatBody | CompletionBody, top: int) -> None:
    """It gives a token's probability only beside alternatives: asked for none, it gives neither."""
    if isinstance(body, ChatBody):
        body.top_logprobs = top
    else:
        body.logprobs = top


def _one_function(work: Work) -> Work:
    """It knows no function by name as `tool_choice`: it is given no other, and must call one."""
    chat = work.task
    if not isinstance(chat, Chat) or chat.function is None:
        return work
    only = [tool for tool in chat.tools if tool.name == chat.function]
    must = replace(chat, tools=only, tool_choice="required", function=None)
    return replace(work, task=must)


class LlamaCpp:
    """`ports.Engine` over llama.cpp."""

    def call(self, target: Target, work: Work, sink: Sink) -> Call:
        """Begin `work` on connections of its own."""
        parts = parts_of(work)
        if len(parts) == 1:
            return _begin(target, work, sink)
        return InParts(parts, lambda part, each: _begin(target, part, each), sink)

    async def close(self) -> None:
        """Nothing is kept between calls."""


def _begin(target: Target, work: Work, sink: Sink) -> Call:
    request = encode(work, target)
    if isinstance(work.task, Embedding):
        return UnixCall(vectors_beside(target.address), request, Whole(), sink, _judged)
    reader = Streamed(work, PerChoice(work.n))
    return UnixCall(target.address, request, reader, sink, _judged)


def _judged(refused: End) -> End:
    """It calls a text that is too long to embed a fault of its own."""
    return replace(refused, status=400) if _TOO_LONG in refused.why else refused
