"""Callers that remember exactly what they received, so that the books can be held to it."""

import json
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from tests.factory.running import MODEL, Running

#: A caller waits this long for a part of an answer before it calls the request cut, in seconds.
READ_TIMEOUT_S = 60
RETRY_PAUSE_S = 0.2


@dataclass
class Received:
    """What one caller got: `whole` answers promise a record, and so does any part of a stream."""

    tenant: str
    stream: bool
    ref: str | None = None
    entry: str | None = None
    text: str = ""
    whole: bool = False
    refused: bool = False
    sent: bool = True


@dataclass
class Callers:
    """Threads that keep asking until told to stop; `received` grows by one per request ended."""

    factory: Running
    seed: int
    threads: int = 6
    max_tokens: int = 24
    received: list[Received] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # refusals that are no retryable 503
    streaming: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _stop: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for number in range(self.threads):
            thread = threading.Thread(target=self._call, args=[number])
            thread.start()
            self._running.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._running:
            thread.join()

    def _call(self, number: int) -> None:
        dice = random.Random(self.seed * 1000 + number)
        tenant = ("demo", "acme")[number % 2]
        while not self._stop.is_set():
            got = Received(tenant, stream=dice.random() < 0.5)
            try:
                with self.factory.http(tenant, trust_env=False) as http:
                    http.timeout = httpx.Timeout(READ_TIMEOUT_S)
                    self._ask(http, got, dice)
            except httpx.ConnectError:  # nobody listened: it was never in flight
                got.sent = False
                time.sleep(RETRY_PAUSE_S)
            except httpx.HTTPError:
                time.sleep(RETRY_PAUSE_S)
            if got.refused:
                time.sleep(RETRY_PAUSE_S)
            self.received.append(got)

    def _ask(self, http: httpx.Client, got: Received, dice: random.Random) -> None:
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": f"Say something about {dice.random()}."}],
            "max_tokens": dice.randint(1, self.max_tokens),
            "stream": got.stream,
        }
        with http.stream("POST", "/v1/chat/completions", json=body) as answer:
            got.refused = answer.status_code != httpx.codes.OK
            if got.refused:
                if answer.status_code != 503 or "retry-after" not in answer.headers:
                    self.wrong.append(f"{answer.status_code}: {answer.read().decode()}")
                return
            if got.stream:
                self._read_stream(answer, got)
                return
            answer.read()
            got.ref = answer.headers["inland-receipt"]
            got.entry = answer.headers["inland-entry"]
            got.text = answer.json()["choices"][0]["message"]["content"]
            got.whole = True

    def _read_stream(self, answer: httpx.Response, got: Received) -> None:
        for line in answer.iter_lines():
            if line.startswith(": inland-entry "):
                got.entry = line.removeprefix(": inland-entry ")
            elif line == "data: [DONE]":
                got.whole = True
            elif line.startswith("data: "):
                event: dict[str, Any] = json.loads(line.removeprefix("data: "))
                if "error" in event:
                    return
                got.ref = event["id"].removeprefix("chatcmpl-")
                for choice in event["choices"]:
                    got.text += choice["delta"].get("content") or ""
                self.streaming.release()
