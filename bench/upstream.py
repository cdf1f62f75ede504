"""A stand-in for an engine, for benches only: OpenAI's chat dialect with fixed answers, very fast.

Whole answers come at once; streamed ones send one token an event, `--pace` seconds apart.
"""

import argparse
import asyncio
import json
from typing import cast

import httptools
import uvloop

TOKENS = ["The", " harbour", " is", " calm", " this", " morning", ".", ""]
USAGE = {"prompt_tokens": 12, "completion_tokens": len(TOKENS), "total_tokens": 12 + len(TOKENS)}


def whole() -> bytes:
    """A whole answer with its head."""
    message = {"role": "assistant", "content": "".join(TOKENS)}
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "upstream",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": USAGE,
        }
    ).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def events(count: int) -> list[bytes]:
    """A streamed answer of `count` tokens, event by event, each one chunk."""
    common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "up"}

    def event(choices: list[object], **more: object) -> bytes:
        data = b"data: %b\n\n" % json.dumps({**common, "choices": choices, **more}).encode()
        return b"%x\r\n%b\r\n" % (len(data), data)

    said = [
        event(
            [
                {
                    "index": 0,
                    "delta": {"content": TOKENS[i % (len(TOKENS) - 1)]},
                    "finish_reason": None,
                }
            ]
        )
        for i in range(count)
    ]
    usage = {"prompt_tokens": 12, "completion_tokens": count, "total_tokens": 12 + count}
    end = event([{"index": 0, "delta": {}, "finish_reason": "stop"}]) + event([], usage=usage)
    return [*said, end + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"]


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self, answer: bytes, stream: list[bytes], pace_s: float) -> None:
        self._answer, self._stream, self._pace_s = answer, stream, pace_s
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        if b'"stream":true' in self._body or b'"stream": true' in self._body:
            self._sending = asyncio.get_running_loop().create_task(self._send())
        else:
            self._transport.write(self._answer)
        self._body = b""

    async def _send(self) -> None:
        head = b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        self._transport.write(b"HTTP/1.1 200 OK\r\n" + head)
        for event in self._stream:
            if self._pace_s:
                await asyncio.sleep(self._pace_s)
            self._transport.write(event)


async def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--pace", type=float, default=0.0)
    given = parser.parse_args()
    answer, stream = whole(), events(given.tokens)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Upstream(answer, stream, given.pace), "127.0.0.1", given.port
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
