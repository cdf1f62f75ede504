"""An engine that lies: what it sends in place of an honest answer, by name.

Each lie writes raw bytes for a request it has read whole, in llama.cpp's way and in everybody
else's. `Liar` serves them, a lie for each model; one model always tells the truth.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Ask = dict[str, Any]
Lie = Callable[[Ask], AsyncIterator[bytes]]
HONEST = "honest"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
DONE = b"data: [DONE]\n\n"
#: So much of an endless answer is offered, in writes of 64 KiB, before the liar tires of it.
ENDLESS_WRITES = 1 << 14
_BLOCK = 1 << 16


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(body: object) -> bytes:
    return chunk(b"data: %b\n\n" % json.dumps(body).encode())


def delta(text: str, index: int = 0, finish: str | None = None, **more: object) -> bytes:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return event({"choices": [choice], **more})


def timings(ask: Ask, tokens: int, prompt: int = 9) -> dict[str, Any]:
    """A running count, where the dialect has one."""
    if not ask.get("timings_per_token"):
        return {}
    return {"timings": {"predicted_n": tokens, "prompt_n": prompt, "cache_n": 0}}


def usage(tokens: object, prompt: object = 9, **more: object) -> bytes:
    return event(
        {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": tokens, **more}}
    )


def whole(choices: list[dict[str, Any]], tokens: object, prompt: object = 9) -> bytes:
    used = {"prompt_tokens": prompt, "completion_tokens": tokens}
    return plain(json.dumps({"choices": choices, "usage": used}).encode())


def plain(body: bytes, status: bytes = b"200 OK", head: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, head, len(body), body)


def message(text: str, index: int = 0, finish: str | None = "length") -> dict[str, Any]:
    return {
        "index": index,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish,
    }


async def honest(ask: Ask, times: int = 1) -> AsyncIterator[bytes]:
    """`max_tokens` words for each choice (or `times` as many), and true counts."""
    n, tokens = ask.get("n", 1), ask.get("max_tokens", 8) * times
    if not ask.get("stream"):
        yield whole([message("word " * tokens, i) for i in range(n)], n * tokens)
        return
    yield OK
    for number in range(tokens):
        for index in range(n):
            yield delta("word ", index, **timings(ask, number + 1))
    for index in range(n):
        yield delta("", index, "length", **timings(ask, tokens))
        if ask.get("timings_per_token"):
            yield usage(tokens)
    if not ask.get("timings_per_token"):
        yield usage(n * tokens)
    yield chunk(DONE) + b"0\r\n\r\n"


def counting(tokens: object, prompt: object = 9) -> Lie:
    """An honest text under a count that is none."""

    async def lie(ask: Ask) -> AsyncIterator[bytes]:
        if not ask.get("stream"):
            yield whole([message("word")], tokens, prompt)
            return
        yield OK + delta("word ") + delta("", 0, "stop") + usage(tokens, prompt)
        yield chunk(DONE) + b"0\r\n\r\n"

    return lie


async def counts_that_change(ask: Ask) -> AsyncIterator[bytes]:
    if not ask.get("stream"):
        yield whole([message("word")], 1 << 20)
        return
    yield OK
    for tokens in (5, 3, 1, 8, 2):
        used = {"prompt_tokens": 9, "completion_tokens": tokens}
        yield delta("word ", usage=used, **timings(ask, tokens))
    yield delta("", 0, "stop") + usage(4) + chunk(DONE) + b"0\r\n\r\n"


async def ten_times_the_tokens(ask: Ask) -> AsyncIterator[bytes]:
    async for data in honest(ask, 10):
        yield data


async def ten_times_uncounted(ask: Ask) -> AsyncIterator[bytes]:
    """Ten times what was asked for, under a count that fits."""
    tokens = ask.get("max_tokens", 8)
    if not ask.get("stream"):
        yield whole([message("word " * tokens * 10)], tokens)
        return
    yield OK
    for _ in range(tokens * 10):
        yield delta("word ", **timings(ask, 1))
    yield delta("", 0, "stop") + usage(tokens) + chunk(DONE) + b"0\r\n\r\n"


async def no_end(ask: Ask) -> AsyncIterator[bytes]:
    yield OK
    while True:
        yield delta("and ")
        await asyncio.sleep(0)


async def no_end_of_nothing(ask: Ask) -> AsyncIterator[bytes]:
    """Comments for ever."""
    yield OK
    for _ in range(ENDLESS_WRITES):
        yield chunk(b": still here\n\n" * 4096)


async def silence(ask: Ask) -> AsyncIterator[bytes]:
    await asyncio.sleep(3600)
    yield b""


async def slow_drip(ask: Ask) -> AsyncIterator[bytes]:
    yield OK
    while True:
        yield chunk(b":")
        await asyncio.sleep(0.05)


async def no_finish(ask: Ask) -> AsyncIterator[bytes]:
    if not ask.get("stream"):
        yield whole([], 3)
        return
    yield OK + delta("word ") + chunk(DONE) + b"0\r\n\r\n"


async def closes_midway(ask: Ask) -> AsyncIterator[bytes]:
    yield OK + delta("word ") + b"ff\r\ndata: {"


async def garbage(ask: Ask) -> AsyncIterator[bytes]:
    yield random.Random(1).randbytes(_BLOCK)


async def garbage_events(ask: Ask) -> AsyncIterator[bytes]:
    yield OK + delta("word ") + chunk(b"data: {]}\n\n") + chunk(DONE) + b"0\r\n\r\n"


async def not_text(ask: Ask) -> AsyncIterator[bytes]:
    body = b'{"choices":[{"index":0,"delta":{"content":"\xff\xfe"},"finish_reason":null}]}'
    yield OK + chunk(b"data: %b\n\n" % body) + chunk(DONE) + b"0\r\n\r\n"


async def half_a_character(ask: Ask) -> AsyncIterator[bytes]:
    half = b'{"content":"a \\ud83d b"}'
    if not ask.get("stream"):
        yield plain(b'{"choices":[{"index":0,"message":%b,"finish_reason":"stop"}]}' % half)
        return
    body = b'{"choices":[{"index":0,"delta":%b,"finish_reason":"stop"}]}' % half
    yield OK + chunk(b"data: %b\n\n" % body) + usage(3) + chunk(DONE) + b"0\r\n\r\n"


async def one_long_line(ask: Ask) -> AsyncIterator[bytes]:
    yield OK + chunk(b"data: ")
    for _ in range(ENDLESS_WRITES):
        yield chunk(b"x" * _BLOCK)


async def long_line_in_bits(ask: Ask) -> AsyncIterator[bytes]:
    """A line of almost the longest length, and then a byte at a time."""
    yield OK + chunk(b"data: " + b"x" * ((1 << 20) - 100_000))
    for _ in range(20):
        yield b"1\r\nx\r\n" * 10_000


async def deep_json(ask: Ask) -> AsyncIterator[bytes]:
    deep = b'{"x":' * 100_000
    yield OK + chunk(b"data: %b\n\n" % deep) if ask.get("stream") else plain(deep)


async def endless_head(ask: Ask) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    for number in range(ENDLESS_WRITES):
        yield b"x-%d: %b\r\n" % (number, b"y" * _BLOCK)


async def endless_header(ask: Ask) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nx: "
    for _ in range(ENDLESS_WRITES):
        yield b"y" * _BLOCK


async def flood_of_hints(ask: Ask) -> AsyncIterator[bytes]:
    for _ in range(ENDLESS_WRITES):
        yield b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" * 1024


async def switches_protocol(ask: Ask) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n" + b"z" * 100


async def redirects(ask: Ask) -> AsyncIterator[bytes]:
    yield plain(b"", b"307 Elsewhere", b"Location: http://127.0.0.1:1/v1/chat/completions\r\n")


async def long_refusal(ask: Ask) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(ENDLESS_WRITES):
        yield chunk(b'{"error":{"message":"no"}}' * 2048)


async def choice_of_another(ask: Ask) -> AsyncIterator[bytes]:
    if not ask.get("stream"):
        yield whole([message("word"), message("more", 7)], 2)
        return
    yield OK + delta("word ") + delta("more", 7, **timings(ask, 1)) + delta("", -1, "stop")
    yield chunk(DONE) + b"0\r\n\r\n"


async def empty_choices_for_ever(ask: Ask) -> AsyncIterator[bytes]:
    yield OK
    for number in range(1 << 22):
        yield delta("", number, **timings(ask, 1))


async def choice_twice(ask: Ask) -> AsyncIterator[bytes]:
    if not ask.get("stream"):
        yield whole([message("word"), message("word")], 2)
        return
    yield OK + delta("word ", 0, "stop") + delta("again ", 0, "stop") + usage(2)
    yield chunk(DONE) + b"0\r\n\r\n"


async def after_the_end(ask: Ask) -> AsyncIterator[bytes]:
    if not ask.get("stream"):
        yield whole([message("word")], 1) + b"and more"
        return
    yield OK + delta("word ", 0, "stop") + usage(1) + chunk(DONE) + delta("more") + b"0\r\n\r\n"


async def two_answers(ask: Ask) -> AsyncIterator[bytes]:
    async for data in honest(ask):
        yield data
    other = {**ask, "max_tokens": 50}
    async for data in honest(other):
        yield data


async def two_answers_at_once(ask: Ask) -> AsyncIterator[bytes]:
    yield b"".join([data async for data in two_answers(ask)])


async def needless_probabilities(ask: Ask) -> AsyncIterator[bytes]:
    one = {"token": "x", "logprob": -1.0, "bytes": [120], "top_logprobs": []}
    choice = {"index": 0, "delta": {"content": ""}, "logprobs": {"content": [one] * 1000}}
    yield OK
    for _ in range(ENDLESS_WRITES):
        yield event({"choices": [choice]})


#: Every lie by name.
LIES: dict[str, Lie] = {
    "negative-count": counting(-5),
    "huge-count": counting(1 << 39),
    "count-beyond-any-number": counting(1 << 70),
    "count-that-is-text": counting("many"),
    "count-of-nothing": counting(0),
    "huge-prompt": counting(1, 1 << 39),
    "negative-prompt": counting(1, -1),
    "ten-times-billed": counting(80),
} | {
    lie.__name__.replace("_", "-"): lie
    for lie in (
        counts_that_change,
        ten_times_the_tokens,
        ten_times_uncounted,
        no_end,
        no_end_of_nothing,
        silence,
        slow_drip,
        no_finish,
        closes_midway,
        garbage,
        garbage_events,
        not_text,
        half_a_character,
        one_long_line,
        long_line_in_bits,
        deep_json,
        endless_head,
        endless_header,
        flood_of_hints,
        switches_protocol,
        redirects,
        long_refusal,
        choice_of_another,
        empty_choices_for_ever,
        choice_twice,
        after_the_end,
        two_answers,
        two_answers_at_once,
        needless_probabilities,
    )
}


def mutated(seed: int) -> Lie:
    """An honest answer with bytes changed, cut out, doubled or cut off, by chance."""

    async def lie(ask: Ask) -> AsyncIterator[bytes]:
        dice = random.Random(seed)
        data = bytearray(b"".join([part async for part in honest(ask)]))
        for _ in range(dice.randint(1, 6)):
            at, size = dice.randrange(len(data)), dice.randint(1, 40)
            match dice.randrange(5):
                case 0:
                    data[at : at + size] = dice.randbytes(size)
                case 1:
                    del data[at : at + size]
                case 2:
                    data[at:at] = data[at : at + size * 10]
                case 3:
                    data[at:at] = str(dice.choice([0, -1, 1 << 33, 99])).encode()
                case _:
                    data[at] = dice.randrange(256)
        while data:
            size = dice.randint(1, 4000)
            yield bytes(data[:size])
            del data[:size]

    return lie


@dataclass
class Liar:
    """Both sockets serve this: to each model its lie, to any other the truth."""

    lies: Mapping[str, Lie]
    _talks: set[asyncio.Task[None]] = field(default_factory=set)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            while await self._answer(reader, writer):
                pass
        self._talks.discard(task)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection stays open: after the truth, and where two answers were given."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        ask = json.loads(await reader.readexactly(length))
        lie = self.lies.get(ask["model"], honest)
        async for data in lie(ask):
            writer.write(data)
            await writer.drain()
            if writer.transport.is_closing():
                return False
        return lie in {honest, two_answers, two_answers_at_once}

    async def close(self) -> None:
        """Hang up on everybody."""
        for task in list(self._talks):
            task.cancel()
        while self._talks:  # noqa: ASYNC110 - each ends by itself now
            await asyncio.sleep(0.01)
