"""Several gateways on one port: what is taken away is gone on all of them; one may die alone."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from inland.decide.admission_log import replay
from tests.factory.running import MODEL, Running, running
from tests.patience import PATIENCE_S, until

ASK = {"model": MODEL, "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 2}
GATEWAYS = 3
#: The kernel spreads connections over the gateways: this many reach all of them, all but surely.
CONNECTIONS = 24


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    assert model_file.exists()
    home = tmp_path_factory.mktemp("several") / "home"
    with running(home, "--gateways", str(GATEWAYS)) as up:
        yield up


def _statuses(factory: Running, key: str) -> set[int]:
    """What `key` is told, on a connection of its own each time; a gateway that has not heard of
    control is asked again."""
    told: list[int] = []
    headers = {"authorization": f"Bearer {key}"}

    def answered() -> bool:
        with httpx.Client(headers=headers, trust_env=False, timeout=PATIENCE_S) as http:
            status = http.get(f"{factory.url}/v1/models").status_code
        told.extend([status] if status != 503 else [])
        return len(told) == CONNECTIONS

    until(answered)
    return set(told)


def _writers(factory: Running) -> set[str]:
    """Which writers hold records of this test's requests."""

    def names() -> set[str]:
        return {p.name for p in (factory.home / "journal").iterdir()}

    until(lambda: len(names()) >= GATEWAYS, "fewer journals than gateways")
    return names()


def _booked(factory: Running) -> int:
    """Complete requests to the model, by `/metrics`."""
    headers = {"authorization": f"Bearer {factory.operator_key}"}
    with httpx.Client(headers=headers, trust_env=False, timeout=PATIENCE_S) as http:
        lines = http.get(f"{factory.url}/metrics").text.splitlines()
    mine = [line for line in lines if line.startswith("inland_requests_total") and MODEL in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in mine if 'outcome="complete"' in line)


def test_metrics_are_the_sum_of_all_gateways(several: Running) -> None:
    before = _booked(several)
    headers = {"authorization": f"Bearer {several.keys['demo']}"}
    for _ in range(CONNECTIONS):  # each on a connection, so on a gateway, of its own
        with httpx.Client(base_url=several.url, headers=headers, trust_env=False) as http:
            assert (
                http.post("/v1/chat/completions", json=ASK, timeout=PATIENCE_S).status_code == 200
            )
    until(lambda: _booked(several) >= before + CONNECTIONS)
    assert _booked(several) == before + CONNECTIONS


def test_a_revocation_that_returned_holds_on_every_gateway(several: Running) -> None:
    told = several.json("key", "add", "--tenant", "acme")
    assert _statuses(several, told["key"]) == {200}
    several.run("key", "revoke", told["id"])
    assert _statuses(several, told["key"]) == {401}
    assert several.json("tenant", "add", "gone")["id"] == "gone"
    key = several.key("gone")
    assert _statuses(several, key) == {200}
    several.run("tenant", "suspend", "gone")
    assert _statuses(several, key) == {403}


def test_a_revocation_waits_out_a_gateway_that_does_not_answer(several: Running) -> None:
    """A stopped gateway cannot be told; its lease must end before the command returns. How much of
    that is left when it stops is chance, but not always little."""
    until(lambda: _revoked_beside_a_stuck_one(several) > 2, "it waits for nobody")


def _revoked_beside_a_stuck_one(several: Running) -> float:
    """How long the command took, in seconds."""
    told = several.json("key", "add", "--tenant", "acme")
    stuck = several.processes("gateway")[0]["pid"]
    os.kill(stuck, signal.SIGSTOP)
    try:
        start = time.monotonic()
        several.run("key", "revoke", told["id"])
        waited_s = time.monotonic() - start
    finally:
        os.kill(stuck, signal.SIGCONT)
    assert _statuses(several, told["key"]) == {401}, "the one that was stuck let somebody in"
    return waited_s


def test_what_lanes_decided_live_is_decided_again_when_their_logs_are_replayed(
    several: Running,
) -> None:
    """Logs are written by gateways that start while their folder is there."""
    folder = several.home / "logs" / "admission"
    folder.mkdir()
    os.kill(several.processes("gateway")[0]["pid"], signal.SIGKILL)
    headers = {"authorization": f"Bearer {several.keys['demo']}"}

    def logged() -> bool:
        clients = [httpx.Client(base_url=several.url, headers=headers) for _ in range(CONNECTIONS)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            told = list(pool.map(_asked, clients))
        assert set(told) <= {200, None}
        logs = [log.read_bytes() for log in folder.iterdir()]
        return any(b'"Start"' in log and len(log.splitlines()) > 3 for log in logs)

    until(logged)
    for log in folder.iterdir():
        _, others = replay(log.read_bytes().splitlines())
        assert not others


def _asked(client: httpx.Client) -> int | None:
    """The answer's status; None where its gateway was just killed, or began just then and has not
    heard of control."""
    with client:
        try:
            status = client.post("/v1/chat/completions", json=ASK, timeout=PATIENCE_S).status_code
        except httpx.TransportError:
            return None
    return None if status == 503 else status


def test_a_killed_gateways_journal_is_sealed_while_the_others_serve(
    several: Running, tmp_path: Path
) -> None:
    before = _writers(several)
    killed = several.processes("gateway")[0]["pid"]
    body = ASK | {"stream": True, "max_tokens": 500}
    refs: dict[str, bool] = {}
    clients = [several.http("demo", trust_env=False) for _ in range(6)]
    try:
        for client in clients:
            request = client.build_request("POST", "/v1/chat/completions", json=body)
            answer = client.send(request, stream=True)
            first = next(line for line in answer.iter_lines() if line.startswith("data: "))
            refs[first.split('"id":"chatcmpl-')[1].split('"')[0]] = False
        os.kill(killed, signal.SIGKILL)
    finally:
        for client in clients:
            client.close()
    assert several.client("demo", max_retries=20).models.list().data

    def outcomes() -> dict[str, str]:
        told = several.records("demo", tmp_path)
        mine = [one for one in told if one["kind"] == "request" and one["id"] in refs]
        return {one["id"]: one["outcome"] for one in mine}

    until(lambda: outcomes().keys() == refs.keys())
    assert set(outcomes().values()) <= {"interrupted", "hung-up", "complete"}, "some end by then"
    assert several.run("ledger", "check").returncode == 0
    journals = several.home / "journal"
    until(lambda: before - {p.name for p in journals.iterdir()}, "nothing was sealed")
