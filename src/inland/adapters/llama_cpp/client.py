"""The client of a llama.cpp server on a unix socket: a connection a call, text always streamed.

Its whole answers count wrongly for n > 1, and it closes a connection after a stream without saying
so. Fields reach it by allow-list. It reuses what lies in a slot only where it is told to; what a
call left there is told by what the engine was seen to do. `parts.py` has why prompts go singly.
"""

import asyncio
from typing import cast

import httptools
from msgspec.structs import replace

from inland.adapters.llama_cpp.parts import InParts, parts_of
from inland.adapters.llama_cpp.sockets import vectors_beside
from inland.adapters.openai.events import HEAD_BYTES, NONSENSE
from inland.adapters.openai.readers import Reader, Streamed, Whole
from inland.adapters.openai.tally import PerChoice
from inland.adapters.openai.wire import (
    ENCODER,
    ChatBody,
    CompletionBody,
    EmbeddingBody,
    body_of,
    error_text,
    path_of,
)
from inland.domain.errors import Damaged
from inland.domain.plant import Residue
from inland.ports.engine import Call, Chat, Embedding, End, Ending, Piece, Sink, Target, Work

#: After we asked it to stop, how long we listen for its last counts. While it reads a prompt it
#: looks for hang-ups once a second.
STOP_S = 2.0
#: The longest answer taken that is not a stream: it holds an error's text.
REFUSAL_BYTES = 1 << 16
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
        return _Call(vectors_beside(target.address), request, Whole(), sink)
    return _Call(target.address, request, Streamed(work, PerChoice(work.n)), sink)


class _Call(asyncio.Protocol):
    def __init__(self, address: str, request: bytes, reader: Reader, sink: Sink) -> None:
        self._request = request
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._reader = reader
        self._status = self._head_bytes = 0
        self._refusal = bytearray()
        self._is_whole = False
        self._pieces: list[Piece] = []
        self._stopping = False
        self._sent = self._cut = False
        self._over = False
        self._connecting = self._loop.create_task(self._connect(address))

    async def _connect(self, address: str) -> None:
        try:
            await self._loop.create_unix_connection(lambda: self, address)
        except OSError:
            self._end(End(Ending.GONE, connected=False, residue=Residue.UNKNOWN))

    # -- what the caller asks

    def cancel(self) -> None:
        """Half close: the engine stops within some 10 ms and tells its last counts on the way."""
        if self._stopping or self._over:
            return
        self._stopping = True
        if self._transport is None:
            return
        self._transport.resume_reading()
        self._transport.write_eof()
        self._loop.call_later(STOP_S, self._give_up)

    def pause(self) -> None:
        if self._transport is not None and not self._stopping:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._stopping:
            self._transport.resume_reading()

    def _give_up(self) -> None:
        if self._transport is not None:
            self._cut = self._sent
            self._transport.abort()

    # -- what the engine sends

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._stopping:
            self._transport.abort()
        else:
            self._sent = True
            self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except NONSENSE:
            self._give_up()
        self._head_bytes += 0 if self._status else len(data)
        if self._head_bytes > HEAD_BYTES:
            self._give_up()
        if self._pieces and not self._over:
            pieces, self._pieces = self._pieces, []
            self._sink.pieces(pieces)

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 and not self._is_whole:  # 1xx says nothing, nor does a second answer
            self._status = status

    def on_body(self, data: bytes) -> None:
        if self._is_whole or not self._status:
            return
        if self._status != 200:
            self._refusal += data
            if len(self._refusal) > REFUSAL_BYTES:
                raise Damaged("engine's refusal", "too long")
            return
        self._pieces += self._reader.feed(data)

    def on_message_complete(self) -> None:
        if self._status and not self._is_whole:
            self._is_whole = True
            self._loop.call_soon(self._finish)

    def _finish(self) -> None:
        if self._status != 200:
            self._refused(self._status, bytes(self._refusal))
        elif self._reader.error is not None:
            self._refused(500, self._reader.error)
        elif self._stopping:
            self._end(End(Ending.STOPPED, self._reader.counts(), residue=self._residue()))
        else:
            self._complete()

    def _refused(self, status: int, body: bytes) -> None:
        """An engine that refuses has not always cleared the slot. It calls a text that is too long
        to embed a fault of its own."""
        why, counts = error_text(body), self._reader.counts()
        if _TOO_LONG in why:
            status = 400
        self._end(End(Ending.REFUSED, counts, status, why, residue=Residue.UNKNOWN))

    def _complete(self) -> None:
        try:
            pieces = self._reader.close()
        except NONSENSE:
            self._end(End(Ending.GONE, self._reader.counts(), residue=Residue.UNKNOWN))
            return
        if pieces and not self._over:
            self._sink.pieces(pieces)
        self._end(End(Ending.COMPLETE, self._reader.counts(), residue=self._residue()))

    def connection_lost(self, exc: Exception | None) -> None:
        how = Ending.STOPPED if self._stopping else Ending.GONE
        self._end(End(how, self._reader.counts(), residue=self._residue()))

    def _residue(self) -> Residue:
        """A prompt was read in once a token came of it. A connection that the engine closed is
        one that it is done with; one that we cut it may only be about to look at."""
        if self._reader.counts().prompt and self._status == 200:
            return Residue.PROMPT
        return Residue.PENDING if self._cut else Residue.UNKNOWN

    def _end(self, end: End) -> None:
        if self._over:
            return
        self._over = True
        if self._transport is not None:
            self._transport.abort()
        self._sink.ended(end)
