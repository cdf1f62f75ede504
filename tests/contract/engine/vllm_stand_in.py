"""Stands for `vllm serve`, which cannot run here: no accelerator. Nothing is generated.

Every shape is that of vLLM 0.33.0, from its source:

- flags: `vllm/entrypoints/common/cli_args.py` (`FrontendArgs.uds`) and `vllm/engine/arg_utils.py`;
- chat events: `entrypoints/openai/chat_completion/serving.py`, `chat_completion_stream_generator`:
  an event with the role for each choice, then one for each token, `usage` in each where running
  usage is asked for, being that one choice's; the last has no choices and the sums;
- completions: `entrypoints/openai/completion/serving.py`, choices of the first prompt first;
- errors: `entrypoints/serve/exception_handling/error_response.py` and `.../engine/protocol.py`; an
  error inside a stream is an event of that shape, then `[DONE]`;
- bounds of `cache_salt`: `entrypoints/generate/base/protocol.py`, `validate_cache_salt`;
- `max_tokens` beyond the context: `vllm/renderers/params.py`, `TokenizeParams.__post_init__`;
- `/health`: `entrypoints/serve/instrumentator/health.py`; counters: `v1/metrics/loggers.py`;
- the end: `entrypoints/launchers/launcher.py`; SIGTERM without `--shutdown-timeout` aborts what
  runs, whose finish reason is then `abort` (`v1/engine/__init__.py`, `FINISH_REASON_STRINGS`).

One prompt token a word. Answers count up: `word word word …`, one token each, `max_tokens` of them.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORBIDDEN = set("@/\\\0")


@dataclass
class StandIn:
    """One server. `cached`: by salt and first words, what it has read before."""

    context: int = 512
    pace_s: float = 0.005
    asked: list[dict[str, Any]] = field(default_factory=list)
    prompt_tokens: int = 0
    generated: int = 0
    cached: set[tuple[str, str]] = field(default_factory=set)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    log: Path | None = None
    fails: int = 0  # requests that find the engine's core dead

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            said = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
            body = await reader.readexactly(int(said or 0))
            path = head.split(b" ")[1].decode()
            gone = asyncio.create_task(reader.read())
            answering = asyncio.create_task(self.answer(path, body, writer))
            await asyncio.wait({gone, answering}, return_when=asyncio.FIRST_COMPLETED)
            answering.cancel()  # a caller that hangs up, or half closes, stops its request
            gone.cancel()
            await asyncio.gather(gone, answering, return_exceptions=True)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if path == "/health":
            return send(writer, 200, b"")
        if path == "/metrics":
            return send(writer, 200, self.metrics())
        asked = json.loads(body)
        self.asked.append(asked)
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(json.dumps(asked) + "\n")
        if self.fails:
            self.fails -= 1
            text = "The server had an error while processing your request."
            return send_error(writer, 500, text, "InternalServerError")
        if wrong := self.wrong(path, asked):
            return send_error(writer, 400, wrong, "BadRequestError")
        if not asked.get("stream"):
            return self.whole(asked, writer)
        return await self.stream(asked, writer)

    def wrong(self, path: str, asked: dict[str, Any]) -> str:
        salt = asked.get("cache_salt")
        if path not in {"/v1/chat/completions", "/v1/completions"}:
            return f"The model does not support {path}"
        if salt is not None and (not salt or len(salt) > 128 or set(salt) & FORBIDDEN):
            return "Parameter 'cache_salt' must be at most 128 characters"
        if asked["max_tokens"] > self.context:
            return f"max_tokens={asked['max_tokens']} cannot be greater than {self.context}"
        if any(len(prompt.split()) > self.context for prompt in prompts(asked)):
            return f"This model's maximum context length is {self.context} tokens."
        return ""

    def read(self, asked: dict[str, Any]) -> tuple[list[int], int]:
        """The length of each prompt, and how much of the first came from the cache."""
        lengths = [len(prompt.split()) for prompt in prompts(asked)]
        mark = (asked.get("cache_salt", ""), prompts(asked)[0])
        cached = lengths[0] if mark in self.cached else 0
        self.cached.add(mark)
        self.prompt_tokens += sum(lengths)
        return lengths, cached

    def whole(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        lengths, cached = self.read(asked)
        tokens = asked["max_tokens"]
        self.generated += tokens
        message = {"role": "assistant", "content": "word " * tokens, "tool_calls": []}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "length"}
        told = usage(sum(lengths), tokens) | details(cached)
        send(writer, 200, json.dumps({"choices": [choice], "usage": told}).encode())

    async def stream(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
        writer.write(head + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n")
        lengths, cached = self.read(asked)
        n, chat, most = asked.get("n", 1), "messages" in asked, asked["max_tokens"]
        running = asked["stream_options"].get("continuous_usage_stats", False)
        choices = range(n * len(lengths))
        done = dict.fromkeys(choices, 0)

        def say(index: int, **said: Any) -> None:
            choice = {"index": index, "logprobs": None, "finish_reason": None, **said}
            more = {"usage": usage(lengths[index // n], done[index])} if running else {}
            event(writer, {**frame(asked), "choices": [choice], **more})

        for index in choices:
            if chat:
                say(index, delta={"role": "assistant", "content": ""})
        for number in range(most):
            ended = "abort" if self.stopping.is_set() else "length"
            last = number == most - 1 or ended == "abort"
            for index in choices:
                done[index] += 1
                self.generated += 1
                told: dict[str, Any] = {"finish_reason": ended} if last else {}
                text = f"{prompts(asked)[index // n].split()[-1]} "
                say(index, **(told | ({"delta": {"content": text}} if chat else {"text": text})))
            await writer.drain()
            if last:
                break
            await asyncio.sleep(self.pace_s)
        total = usage(sum(lengths), sum(done.values())) | details(cached)
        event(writer, {**frame(asked), "choices": [], "usage": total})
        event(writer, b"[DONE]")
        writer.write(b"0\r\n\r\n")

    def metrics(self) -> bytes:
        labels = '{engine="0",model_name="m"}'
        return (
            "# HELP vllm:prompt_tokens_total Number of prefill tokens processed.\n"
            "# TYPE vllm:prompt_tokens_total counter\n"
            f"vllm:prompt_tokens_total{labels} {float(self.prompt_tokens)}\n"
            "# HELP vllm:generation_tokens_total Number of generation tokens processed.\n"
            "# TYPE vllm:generation_tokens_total counter\n"
            f"vllm:generation_tokens_total{labels} {float(self.generated)}\n"
        ).encode()


def prompts(asked: dict[str, Any]) -> list[str]:
    if "prompt" in asked:
        given = asked["prompt"]
        return [given] if isinstance(given, str) else list(given)
    return [" ".join(f"{one['role']} {one['content']}" for one in asked["messages"])]


def usage(prompt: int, completion: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
    }


def details(cached: int) -> dict[str, Any]:
    """Told only of what was cached, with `--enable-prompt-tokens-details`."""
    return {"prompt_tokens_details": {"cached_tokens": cached}} if cached else {}


def frame(asked: dict[str, Any]) -> dict[str, Any]:
    chat = "messages" in asked
    return {
        "id": "chatcmpl-0" if chat else "cmpl-0",
        "object": "chat.completion.chunk" if chat else "text_completion",
        "created": 1,
        "model": asked["model"],
    }


def event(writer: asyncio.StreamWriter, said: dict[str, Any] | bytes) -> None:
    data = said if isinstance(said, bytes) else json.dumps(said).encode()
    line = b"data: %b\n\n" % data
    writer.write(b"%x\r\n%b\r\n" % (len(line), line))


def send_error(writer: asyncio.StreamWriter, status: int, text: str, kind: str) -> None:
    error = {"message": text, "type": kind, "param": None, "code": status}
    send(writer, status, json.dumps({"error": error}).encode())


def send(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n"
    writer.write(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)


def parsed(argv: list[str]) -> argparse.Namespace:
    """`vllm serve`, with the flags it knows: any other ends it, as it would the real one."""
    parser = argparse.ArgumentParser(prog="vllm")
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("model")
    for flag in ("--uds", "--served-model-name", "--load-format", "--generation-config"):
        parser.add_argument(flag)
    for flag in ("--max-num-seqs", "--max-model-len", "--tensor-parallel-size"):
        parser.add_argument(flag, type=int)
    parser.add_argument("--prefix-caching-hash-algo", choices=["sha256", "sha256_cbor", "xxhash"])
    for flag in (
        "--enable-prompt-tokens-details",
        "--disable-uvicorn-access-log",
        "--disable-fastapi-docs",
    ):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args(argv)


def begin(given: argparse.Namespace) -> StandIn:
    """It tells in files beside the model how it was started, and what it is asked."""
    folder = Path(given.model)
    assert folder.is_dir(), f"no model at {folder}"
    told = {"argv": sys.argv[1:], "pid": os.getpid(), "environment": dict(os.environ)}
    started = folder.parent / f"started-{Path(given.uds).stem}.json"
    started.with_suffix(".new").write_text(json.dumps(told))
    started.with_suffix(".new").replace(started)  # whoever reads it meanwhile reads it whole
    return StandIn(context=given.max_model_len, pace_s=0.02, log=folder.parent / "asked.jsonl")


async def main(given: argparse.Namespace) -> None:
    served = begin(given)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, served.stopping.set)
    async with await asyncio.start_unix_server(served.talk, given.uds):
        await served.stopping.wait()
        await asyncio.sleep(0.1)  # what was aborted is told so


if __name__ == "__main__":
    asyncio.run(main(parsed(sys.argv[1:])))
