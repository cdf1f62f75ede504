"""Callers that remember exactly what they received, so that the books can be held to it.

Mixed as strangers are: whole answers and streams, several choices, hang-ups, slow readers, wrong
keys, and routes that go to control.
"""

import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from tests.factory.running import MODEL, Running

#: A caller waits this long for a part of an answer before it calls the request cut, in seconds.
READ_TIMEOUT_S = 90
RETRY_PAUSE_S = 0.2
#: A slow reader pauses so long after each event, in seconds.
SLOW_S = 0.02
TENANTS = ("demo", "acme")


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


#: One request of a tenant: what came of it, None where no answer of a model was asked for.
Habit = Callable[[str, random.Random], Received | None]


@dataclass
class Callers:
    """Threads that keep asking until told to stop; `received` grows by one per request ended."""

    factory: Running
    seed: int
    threads: int = 6
    max_tokens: int = 24
    mixed: bool = False
    received: list[Received] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # refusals that are no retryable 503
    relayed: dict[str, int] = field(default_factory=dict)
    streaming: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    calm: threading.Event = field(default_factory=threading.Event)  # set: nobody asks
    _stop: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        habits: list[Habit] = [self._chat]
        if self.mixed:
            habits += [self._chat, self._two, self._hang_up, self._slow]
            habits += [self._stranger, self._relay]
        for number in range(self.threads):
            habit = habits[number % len(habits)]
            thread = threading.Thread(target=self._call, args=[number, habit])
            thread.start()
            self._running.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._running:
            thread.join()

    def _call(self, number: int, habit: Habit) -> None:
        dice = random.Random(self.seed * 1000 + number)
        tenant = TENANTS[number % 2]
        while not self._stop.is_set():
            if self.calm.is_set():
                time.sleep(RETRY_PAUSE_S)
                continue
            got = habit(tenant, dice)
            if got is not None:
                self.received.append(got)
            if got is None or not got.whole:
                time.sleep(RETRY_PAUSE_S)

    # -- habits

    def _chat(self, tenant: str, dice: random.Random) -> Received:
        return self._answered(Received(tenant, stream=dice.random() < 0.5), dice)

    def _two(self, tenant: str, dice: random.Random) -> Received:
        return self._answered(Received(tenant, stream=dice.random() < 0.5), dice, n=2)

    def _hang_up(self, tenant: str, dice: random.Random) -> Received:
        events = dice.randint(0, 5)
        return self._answered(Received(tenant, stream=True), dice, leave_after=events)

    def _slow(self, tenant: str, dice: random.Random) -> Received:
        return self._answered(Received(tenant, stream=True), dice, pause_s=SLOW_S)

    def _answered(
        self,
        got: Received,
        dice: random.Random,
        n: int = 1,
        leave_after: int | None = None,
        pause_s: float = 0.0,
    ) -> Received:
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": f"Say something about {dice.random()}."}],
            "max_tokens": dice.randint(1, self.max_tokens),
            "stream": got.stream,
            "n": n,
        }
        try:
            with (
                self.factory.http(got.tenant, trust_env=False) as http,
                http.stream(
                    "POST", "/v1/chat/completions", json=body, timeout=READ_TIMEOUT_S
                ) as answer,
            ):
                self._read(answer, got, leave_after, pause_s)
        except httpx.ConnectError:  # nobody listened: it was never in flight
            got.sent = False
        except httpx.HTTPError:
            pass
        return got

    def _read(
        self, answer: httpx.Response, got: Received, leave_after: int | None, pause_s: float
    ) -> None:
        got.refused = answer.status_code != httpx.codes.OK
        if got.refused:
            self._judge(answer)
        elif got.stream:
            self._read_stream(answer, got, leave_after, pause_s)
        else:
            answer.read()
            got.ref = answer.headers["inland-receipt"]
            got.entry = answer.headers["inland-entry"]
            got.text = answer.json()["choices"][0]["message"]["content"]
            got.whole = True

    def _judge(self, answer: httpx.Response, *expected: int) -> None:
        """A refusal is a 503 that says when to come back, or what was `expected`."""
        if answer.status_code in expected:
            return
        if answer.status_code != 503 or "retry-after" not in answer.headers:
            self.wrong.append(f"{answer.status_code}: {answer.read().decode()}")

    def _read_stream(
        self, answer: httpx.Response, got: Received, leave_after: int | None, pause_s: float
    ) -> None:
        events = 0
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
                events += 1
                if leave_after is not None and events > leave_after:
                    return
                time.sleep(pause_s)

    def _stranger(self, tenant: str, dice: random.Random) -> None:
        """A wrong key is refused as such, or told to come back; never let in."""
        key = f"inland_{dice.randbytes(20).hex()}"
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
        path = dice.choice(["/v1/chat/completions", "/factory/v1/usage"])
        self._aside(path, key, (401,), body if path[1] == "v" else None)

    def _relay(self, tenant: str, dice: random.Random) -> None:
        """What control answers: usage, an export, a receipt; all of it its own."""
        refs = [r.ref for r in self.received[-50:] if r.tenant == tenant and r.whole and r.ref]
        paths = ["/factory/v1/usage", f"/factory/v1/records?tenant={tenant}", "/v1/models"]
        if refs:
            paths.append(f"/factory/v1/receipts/{dice.choice(refs)}")
        path = dice.choice(paths)
        # A receipt waits for the next booking: until then it is not found.
        self._aside(path, self.factory.keys[tenant], (200, 404) if "receipts" in path else (200,))

    def _aside(
        self, path: str, key: str, expected: tuple[int, ...], body: dict[str, Any] | None = None
    ) -> None:
        headers = {"authorization": f"Bearer {key}"}
        method = "POST" if body else "GET"
        try:
            with (
                self.factory.http(trust_env=False) as http,
                http.stream(method, path, headers=headers, json=body) as answer,
            ):
                self._judge(answer, *expected)
                answer.read()
                name = f"{path.partition('?')[0].split('/')[-1][:8]} {answer.status_code}"
                self.relayed[name] = self.relayed.get(name, 0) + 1
        except httpx.HTTPError:
            pass
