"""A scripted OpenAI-compatible server: answers as a vLLM does; nothing is generated."""

import asyncio
import json
from dataclasses import dataclass, field


@dataclass
class Upstream:
    """Counts to `max_tokens`, one word a token, `pace_s` apart; knows what it was asked."""

    pace_s: float = 0.005
    asked: list[dict] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    hung_up: int = 0
    generated: int = 0
    running_usage: bool = True
    drop_next: bool = False

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                self.heads.append(head)
                self.asked.append(body)
                if self.drop_next:
                    self.drop_next = False
                    return
                await self.answer(body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.hung_up += 1
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()

    async def answer(self, body: dict, writer: asyncio.StreamWriter) -> None:
        if "input" in body:
            return send(writer, 200, vectors(body["input"]))
        if "prompt" in body:
            return self.complete(body, writer)
        n, tokens = body.get("n", 1), body.get("max_tokens", 10)
        if body["messages"][0]["content"].startswith("too long"):
            return send(writer, 400, {"error": {"message": "exceeds the context", "code": 400}})
        if body.get("stream"):
            return await self.stream(writer, n, tokens)
        self.generated += n * tokens
        choices = [
            {
                "index": i,
                "message": {"role": "assistant", "content": "word " * tokens},
                "finish_reason": "length",
            }
            for i in range(n)
        ]
        return send(writer, 200, {"id": "x", "choices": choices, "usage": usage(n * tokens)})

    def complete(self, body: dict, writer: asyncio.StreamWriter) -> None:
        prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        each = [prompt for prompt in prompts for _ in range(body.get("n", 1))]
        tokens = body["max_tokens"]
        self.generated += tokens * len(each)
        choices = [
            {"index": at, "text": f"{prompt} " * tokens, "finish_reason": "length"}
            for at, prompt in enumerate(each)
        ]
        send(writer, 200, {"id": "x", "choices": choices, "usage": usage(tokens * len(each))})

    async def stream(self, writer: asyncio.StreamWriter, n: int, tokens: int) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n")
        done = 0
        for _ in range(tokens):
            for i in range(n):
                done += 1
                self.generated += 1
                more = {"usage": usage(done)} if self.running_usage else {}
                delta = {"index": i, "delta": {"content": "word "}, "finish_reason": None}
                event(writer, {"choices": [delta], **more})
            await writer.drain()
            await asyncio.sleep(self.pace_s)
            if writer.transport.is_closing():
                raise ConnectionResetError
        for i in range(n):
            event(writer, {"choices": [{"index": i, "delta": {}, "finish_reason": "length"}]})
        event(writer, {"choices": [], "usage": usage(n * tokens)})
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


def vectors(texts: str | list[str]) -> dict:
    """Of each text its length and its number of words."""
    each = [texts] if isinstance(texts, str) else texts
    data = [
        {"object": "embedding", "index": at, "embedding": [float(len(text)), text.count(" ") + 1.0]}
        for at, text in enumerate(each)
    ]
    return {"object": "list", "data": data, "usage": {"prompt_tokens": 9, "total_tokens": 9}}


def usage(completion: int) -> dict:
    return {"prompt_tokens": 9, "completion_tokens": completion, "total_tokens": 9 + completion}


def send(writer: asyncio.StreamWriter, status: int, body: dict) -> None:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
    writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(data) + data)


def event(writer: asyncio.StreamWriter, body: dict) -> None:
    data = b"data: %b\n\n" % json.dumps(body).encode()
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))
