"""Streamed answers as callers see them: when each token came. One connection a request.

Plain HTTP/1.1 over TCP or a unix socket, so that a factory and a bare engine are asked alike.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import httptools

RECEIVE_BYTES = 1 << 16
HTTP_OK = 200


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, and as whom. `address`: a port of 127.0.0.1, or a unix socket's path."""

    address: int | str
    model: str
    key: str = "none"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of its own."""
        if isinstance(self.address, str):
            return await asyncio.open_unix_connection(self.address)
        return await asyncio.open_connection("127.0.0.1", self.address)

    def request(self, body: dict[str, Any]) -> bytes:
        """The bytes of one request: for a chat, or where `body` has a prompt for its completion."""
        told = json.dumps({"model": self.model, "stream": True, **body}).encode()
        path = "completions" if "prompt" in body else "chat/completions"
        port = f":{self.address}" if isinstance(self.address, int) else ""
        head = (
            f"POST /v1/{path} HTTP/1.1\r\nhost: 127.0.0.1{port}\r\n"
            f"authorization: Bearer {self.key}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(told)}\r\nconnection: close\r\n\r\n"
        )
        return head.encode() + told


@dataclass
class Chat:
    """What came of one request: times are monotonic seconds, `tokens` one an event with text.

    `status` is 0 where nothing was answered. `text`: of all choices; `answer`: of a refusal.
    """

    asked: float
    status: int = 0
    tokens: list[float] = field(default_factory=list)
    usage: dict[str, Any] | None = None
    ended: float = 0.0
    done: bool = False
    answer: bytes = b""
    text: str = ""

    @property
    def served(self) -> bool:
        """Whether it was answered to its end."""
        return self.status == HTTP_OK and self.done

    @property
    def ttft_s(self) -> float | None:
        """From the request's last byte to its first token's event."""
        return self.tokens[0] - self.asked if self.tokens else None


def _text(choice: dict[str, Any]) -> str | None:
    """What an event has of one choice, of a chat or a completion."""
    text: str | None = choice["text"] if "text" in choice else choice["delta"].get("content")
    return text


class _Reader:
    """Events out of one answer."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._pending = b""
        self.parser = httptools.HttpResponseParser(self)
        self.whole = False

    def on_headers_complete(self) -> None:
        self._chat.status = self.parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        if self._chat.status != HTTP_OK:
            self._chat.answer += body
            return
        *events, self._pending = (self._pending + body).split(b"\n\n")
        for event in events:
            self._event(event.rpartition(b"data: ")[2])

    def on_message_complete(self) -> None:
        self.whole = True

    def _event(self, data: bytes) -> None:
        if data == b"[DONE]":
            self._chat.done = True
            return
        told = json.loads(data) if data.startswith(b"{") else {}
        texts = [text for text in map(_text, told.get("choices", ())) if text]
        if texts:
            self._chat.tokens.append(time.monotonic())
            self._chat.text += "".join(texts)
        if told.get("usage"):
            self._chat.usage = told["usage"]


async def chat(endpoint: Endpoint, body: dict[str, Any]) -> Chat:
    """Ask, and read to the end."""
    reader, writer = await endpoint.connect()
    try:
        writer.write(endpoint.request(body))
        await writer.drain()
        told = Chat(asked=time.monotonic())
        events = _Reader(told)
        while not events.whole and (data := await reader.read(RECEIVE_BYTES)):
            events.parser.feed_data(data)
    finally:
        writer.close()
    told.ended = time.monotonic()
    return told
