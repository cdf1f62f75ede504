"""Several replicas of a deployment: one is killed, one drains, no caller loses what it can keep.

Real engines with the real model; each test leaves the deployment with the two replicas it had.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from inland.adapters.feed.frames import ASK_EVERY_S
from tests.factory.running import Running, running
from tests.patience import PATIENCE_S, until

NAME = "two"
SLOTS = 4
#: At temperature 0 the model goes on with it for far longer than anybody is let.
ENDLESS = [{"role": "user", "content": "Write a very long story about a lighthouse."}]
#: Nobody is cut, or turned away, because the machine is slow: that is tested elsewhere.
DRAIN_S = 600


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    """Two gateways, and a deployment of two replicas with four slots each."""
    assert model_file.exists()
    home = tmp_path_factory.mktemp("replicas") / "home"
    with running(home, "--gateways", "2", drain_s=DRAIN_S, queue_s=DRAIN_S) as up:
        words = ["--model", "smollm2-135m-instruct", "--replicas", "2", "--slots", str(SLOTS)]
        up.run("deploy", "add", NAME, *words, "--context", "1024")
        until(lambda: states(up) == {f"{NAME}-0": "ready", f"{NAME}-1": "ready"})
        yield up


def states(factory: Running) -> dict[str, str]:
    """The deployment's replicas."""
    with factory.http() as http:
        key = {"authorization": f"Bearer {factory.operator_key}"}
        told = http.get(f"/factory/v1/deployments/{NAME}", headers=key)
    return {one["id"]: one["state"] for one in told.json()["replicas"]} if told.is_success else {}


def pid_of(factory: Running, replica: str) -> int:
    (pid,) = [p["pid"] for p in factory.processes("engine") if p["replica"] == replica]
    return int(pid)


@dataclass
class Answer:
    """What one caller got. `error`: of its last event, if that was one."""

    status: int = 0
    ref: str = ""
    tokens: int = 0
    whole: bool = False
    error: str = ""
    begun: threading.Event = field(default_factory=threading.Event)


def ask(factory: Running, answer: Answer, tokens: int, *, stream: bool) -> Answer:
    """A chat on a connection of its own, told to `answer` as it comes."""
    body = {
        "model": NAME,
        "messages": ENDLESS,
        "temperature": 0,
        "max_tokens": tokens,
        "stream": stream,
    }
    with (
        factory.http("demo", trust_env=False) as http,
        http.stream("POST", "/v1/chat/completions", json=body, timeout=PATIENCE_S) as reply,
    ):
        answer.status, answer.ref = reply.status_code, reply.headers.get("inland-receipt", "")
        if not reply.is_success:
            reply.read()
            answer.error = reply.json()["error"]["code"]
            return answer
        if not stream:
            reply.read()
            answer.whole = bool(reply.json()["choices"])
            return answer
        with suppress(httpx.RemoteProtocolError):  # an answer that is cut does not end as one
            for line in reply.iter_lines():
                if line.startswith("data: "):
                    _hear(answer, line.removeprefix("data: "))
    return answer


def _hear(answer: Answer, said: str) -> None:
    if said == "[DONE]":
        answer.whole = True
        return
    event = json.loads(said)
    answer.error = event["error"]["code"] if "error" in event else ""
    if event.get("choices"):
        answer.tokens += 1
        answer.begun.set()


@dataclass
class Callers:
    """Asks many things at once."""

    factory: Running
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(32))
    answers: list[Answer] = field(default_factory=list)
    asked: list[Future[Answer]] = field(default_factory=list)

    def ask(self, count: int, tokens: int, *, stream: bool) -> list[Answer]:
        more = [Answer() for _ in range(count)]
        for answer in more:
            self.asked.append(self.pool.submit(ask, self.factory, answer, tokens, stream=stream))
        self.answers += more
        return more

    def end(self) -> list[Answer]:
        """Every answer, ended; what went wrong on a connection is raised."""
        for one in self.asked:
            one.result()
        self.pool.shutdown()
        return self.answers


def records(factory: Running, folder: Path, answers: list[Answer]) -> dict[str, dict[str, Any]]:
    """The record of each answer, once all are booked; none has two."""
    refs = {one.ref for one in answers if one.ref}

    def found() -> list[dict[str, Any]]:
        told = factory.records("demo", folder)
        return [one for one in told if one["kind"] == "request" and one["id"] in refs]

    until(lambda: {one["id"] for one in found()} == refs)
    mine = found()
    assert len(mine) == len(refs)
    return {one["id"]: one for one in mine}


def test_a_killed_replica_loses_nobody_who_was_sent_nothing(
    factory: Running, tmp_path: Path
) -> None:
    callers = Callers(factory)
    streams = callers.ask(4, 80, stream=True)
    callers.ask(4, 60, stream=False)
    assert all(one.begun.wait(PATIENCE_S) for one in streams[:2])
    callers.ask(8, 20, stream=False)  # beyond the slots: some wait, some are read just now
    os.kill(pid_of(factory, f"{NAME}-1"), signal.SIGKILL)
    answers = callers.end()
    assert len(answers) == 16
    for one in answers:
        assert one.status == 200
        assert one.whole or (one.tokens and one.error == "engine_lost"), one
    books = records(factory, tmp_path, answers)
    for one in answers:
        told = books[one.ref]
        assert told["outcome"] == ("complete" if one.whole else "failed")
        assert told["billed"] is one.whole
    until(lambda: states(factory) == {f"{NAME}-0": "ready", f"{NAME}-1": "ready"})
    assert factory.run("ledger", "check").returncode == 0


def test_a_drain_under_load_cuts_nobody_though_control_dies(
    factory: Running, tmp_path: Path
) -> None:
    """The engine that drains is held, so that it has something to end however fast it is. Where a
    slow machine brings control back after a lease, gateways serve nobody, and say so."""
    leaving = f"{NAME}-1"
    engine = pid_of(factory, leaving)
    callers = Callers(factory)
    callers.ask(SLOTS, 10, stream=False)
    until(lambda: held_at_work(factory, engine, leaving, callers), "it has nothing to end")
    try:
        factory.run("deploy", "scale", NAME, "1")
        until(lambda: states(factory).get(leaving) == "draining")
        factory.kill("control")
        until(lambda: states(factory))
        held_until = time.monotonic() + 4 * ASK_EVERY_S
        while time.monotonic() < held_until:
            told = states(factory)  # nothing while a gateway waits for the new control
            if told and told.get(leaving) != "draining":  # whom a gateway without a lease cut
                until(lambda: all(one.done() for one in callers.asked), "one is at it still")
                break
            time.sleep(0.2)
    finally:
        with suppress(ProcessLookupError):
            os.kill(engine, signal.SIGCONT)
    callers.ask(SLOTS, 10, stream=True)
    answers = callers.end()
    served = [one for one in answers if one.error != "no_lease"]
    assert [one for one in served if not (one.status == 200 and one.whole)] == []
    until(lambda: states(factory) == {f"{NAME}-0": "ready"})
    until(lambda: leaving not in {p.get("replica") for p in factory.processes("engine")})
    books = records(factory, tmp_path, served)
    assert {one["outcome"] for one in books.values()} <= {"complete"}
    again(factory)


def held_at_work(factory: Running, engine: int, replica: str, callers: Callers) -> bool:
    """Streams are asked for until some have begun, and the engine is stopped; whether one of them
    is at it: not ended, though whatever is at the other one has. If not, it is let go on."""
    first = callers.ask(2 * SLOTS, 240, stream=True)
    assert all(one.begun.wait(PATIENCE_S) for one in first)
    os.kill(engine, signal.SIGSTOP)
    time.sleep(2 * ASK_EVERY_S)  # what gateways tell is from then on
    until(lambda: not at_work(factory, f"{NAME}-0"), "what is asked of the other never ends")
    if at_work(factory, replica) and not all(one.done() for one in callers.asked):
        return True
    os.kill(engine, signal.SIGCONT)
    return False


def at_work(factory: Running, replica: str) -> bool:
    """Whether a gateway says so."""
    with factory.http() as http:
        told = http.get("/metrics", headers={"authorization": f"Bearer {factory.operator_key}"})
    return f'inland_replica_requests{{replica="{replica}"}}' in told.text


def test_a_gateway_that_dies_holds_up_no_drain_and_the_others_callers_notice_nothing(
    factory: Running, tmp_path: Path
) -> None:
    gateway = factory.processes("gateway")[0]["pid"]
    callers = Callers(factory)
    answers = callers.ask(2 * SLOTS, 80, stream=True)
    assert all(one.begun.wait(PATIENCE_S) for one in answers)
    factory.run("deploy", "scale", NAME, "1")
    until(lambda: states(factory).get(f"{NAME}-1") != "ready")
    os.kill(gateway, signal.SIGKILL)
    for asked in callers.asked:
        asked.exception()
    until(lambda: states(factory) == {f"{NAME}-0": "ready"})
    found: dict[str, dict[str, Any]] = {}

    def booked() -> bool:
        told = factory.records("demo", tmp_path)
        found.update({r["id"]: r for r in told if r["kind"] == "request"})
        return all(one.ref in found for one in answers)

    until(booked)
    for one in answers:  # one that was cut was at the gateway that died, and nobody else was
        outcome = found[one.ref]["outcome"]  # it may die between the record's sync and the end
        assert outcome in ({"complete"} if one.whole else {"interrupted", "complete"})
    again(factory)


def test_requests_spread_over_the_replicas(factory: Running) -> None:
    before = [factory.engine_counters(f"{NAME}-{n}")["completion"] for n in range(2)]

    def spread() -> bool:
        """Those that meet, once some do."""
        callers = Callers(factory)
        callers.ask(2 * SLOTS, 20, stream=False)
        assert all(one.whole for one in callers.end())
        after = [factory.engine_counters(f"{NAME}-{n}")["completion"] for n in range(2)]
        return all(now > then for now, then in zip(after, before, strict=True))

    until(spread, "one replica does all of it")


def test_scaled_to_none_it_is_kept_and_says_so(factory: Running) -> None:
    factory.run("deploy", "scale", NAME, "0")
    until(lambda: states(factory) == {})
    callers = Callers(factory)
    callers.ask(1, 5, stream=False)
    until(callers.asked[0].done)
    assert callers.end()[0].status == 503
    with factory.http() as http:
        assert http.get("/readyz").status_code == 200
    again(factory)
    assert factory.run("deploy", "scale", "smollm2", "2", check=False).returncode != 0


def again(factory: Running) -> None:
    """Both replicas, as every test finds them."""
    factory.run("deploy", "scale", NAME, "2")
    until(lambda: states(factory) == {f"{NAME}-0": "ready", f"{NAME}-1": "ready"})
