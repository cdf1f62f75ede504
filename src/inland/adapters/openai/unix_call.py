"""One call to an engine of ours: a connection of its own to a unix socket, closed after it.

What a call left in its slot is told by what the engine was seen to do.
"""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools
from msgspec.structs import replace

from inland.adapters.openai.events import HEAD_BYTES, NONSENSE
from inland.adapters.openai.readers import Reader
from inland.adapters.openai.wire import error_text
from inland.domain.errors import Damaged
from inland.domain.plant import Residue
from inland.ports.engine import End, Ending, Piece, Sink

#: After we asked it to stop, how long we listen for its last counts. While it reads a prompt
#: llama.cpp looks for hang-ups once a second.
STOP_S = 2.0
#: The longest answer taken that is not a stream: it holds an error's text.
REFUSAL_BYTES = 1 << 16

#: What an engine's refusal means, in the port's words; every engine has its own.
Judge = Callable[[End], End]


class UnixCall(asyncio.Protocol):
    """Begun when it is made. What it brings goes to `sink`."""

    def __init__(
        self, address: str, request: bytes, reader: Reader, sink: Sink, judge: Judge
    ) -> None:
        self._judge = judge
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
        """An engine that refuses has not always cleared the slot."""
        refused = End(Ending.REFUSED, self._reader.counts(), status, error_text(body))
        self._end(self._judge(replace(refused, residue=Residue.UNKNOWN)))

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
