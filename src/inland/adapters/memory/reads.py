"""What an event loop read last: uvloop reads every stream into one buffer, which is never freed, so
what came stays there until as much came again. Here that much comes: zeros.
"""

import asyncio
import fcntl
import os
from concurrent.futures import TimeoutError as Late

#: uvloop's buffer (`UV_STREAM_RECV_BUF_SIZE`); a pipe must hold as much, to be read at once.
BUFFER_BYTES = 256_000
_PIPE_BYTES = 1 << 19
#: A loop that does not come to it for so long has another trouble, in seconds.
_TURN_S = 10.0


class Reads:
    """The buffer of one loop, from when that `follow`s it."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def follow(self) -> None:
        """It is the running loop's."""
        self._loop = asyncio.get_running_loop()

    def overwrite(self) -> None:
        """From another thread: nothing of what the loop read is in it when this returns. Raises
        OSError."""
        if self._loop is None or not self._loop.is_running():
            return
        asked = asyncio.run_coroutine_threadsafe(overwritten(), self._loop)
        try:
            asked.result(_TURN_S)
        except Late:
            asked.cancel()
            raise TimeoutError("the loop does not come to overwriting what it read") from None


async def overwritten() -> None:
    """Nothing of what the running loop read is in its buffer when this returns."""
    loop = asyncio.get_running_loop()
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    file = os.fdopen(reading, "rb", 0)
    try:
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        assert os.write(writing, bytes(BUFFER_BYTES)) == BUFFER_BYTES
        taken = loop.create_future()
        transport, _ = await loop.connect_read_pipe(lambda: _Taker(taken), file)
        try:
            await taken
        finally:
            transport.close()
    finally:
        os.close(writing)


class _Taker(asyncio.Protocol):
    """Reads until the buffer's worth is there."""

    def __init__(self, taken: "asyncio.Future[None]") -> None:
        self._taken = taken
        self._left = BUFFER_BYTES

    def data_received(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left <= 0 and not self._taken.done():
            self._taken.set_result(None)
