"""Hard budgets and bills of a real factory: many callers at once, two gateways, one of them killed,
and the whole of it started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.factory.running import MODEL, Running, running
from tests.patience import PATIENCE_S, until

BILL = Path(__file__).parents[2] / "verifier" / "inland_bill.py"
AT_ONCE = 200
LIMIT = 2500
#: Longest that one of so many may wait, in seconds.
ANSWER_S = 300
#: By tenant, the records that callers were told of.
ACKNOWLEDGED: defaultdict[str, set[str]] = defaultdict(set)


def ask(most: int) -> dict:
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Count."}],
        "max_tokens": most,
    }


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    assert model_file.exists()
    home = tmp_path_factory.mktemp("billed") / "home"
    with running(home, "--gateways", "2") as up:
        yield up


def month() -> str:
    return datetime.now(UTC).strftime("%Y-%m")


def _status(factory: Running, tenant: str, most: int) -> int:
    """One caller with connections of its own; 0 where the gateway died under it. Who is to come
    again does so, as while gateways have not heard of control."""
    end = time.monotonic() + PATIENCE_S
    while (status := _told(factory, tenant, most)) == 503 and time.monotonic() < end:
        time.sleep(0.5)
    return status


def _told(factory: Running, tenant: str, most: int) -> int:
    headers = {"authorization": f"Bearer {factory.keys[tenant]}"}
    try:
        with httpx.Client(headers=headers, timeout=ANSWER_S, trust_env=False) as http:
            answer = http.post(f"{factory.url}/v1/chat/completions", json=ask(most))
    except httpx.TransportError:
        return 0
    if answer.status_code == 200:
        ACKNOWLEDGED[tenant].add(answer.headers["inland-receipt"])
    if answer.status_code == 429:
        assert answer.json()["error"]["code"] == "insufficient_quota", answer.text
    return answer.status_code


def _all_at_once(factory: Running, tenant: str, kill: bool) -> Counter[int]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [
            pool.submit(_status, factory, tenant, 1 + number % 24) for number in range(AT_ONCE)
        ]
        if kill:
            until(lambda: sum(one.done() for one in asked) >= 10)
            os.kill(factory.processes("gateway")[0]["pid"], signal.SIGKILL)
        return Counter(one.result() for one in asked)


def _spent(factory: Running, tenant: str, folder: Path) -> int:
    """Every token that is billed to a tenant, once all that was acknowledged is booked."""

    def records() -> dict[str, dict]:
        told = factory.records(tenant, folder)
        return {one["id"]: one for one in told if one["kind"] == "request" and one["billed"]}

    until(lambda: records().keys() >= ACKNOWLEDGED[tenant])
    billed = records().values()
    return sum(one["prompt_tokens"] + one["completion_tokens"] for one in billed)


def test_a_hard_budget_is_not_passed_by_many_at_once_a_killed_gateway_or_a_restart(
    billed: Running, tmp_path: Path
) -> None:
    """Its prompts are counted at fewer tokens than they have bytes: so it is not passed at all."""
    billed.run("tenant", "add", "tight")
    billed.key("tight")
    words = ("--tenant", "tight", "--tokens", str(LIMIT), "--period", "month", "--hard")
    assert "held" in billed.run("budget", "set", *words).stdout
    told = _all_at_once(billed, "tight", kill=True)
    assert set(told) <= {200, 429, 0}, told
    assert told[200]
    spent = _spent(billed, "tight", tmp_path)
    assert 0 < spent <= LIMIT
    billed.down()
    billed.up("--gateways", "2")
    told = _all_at_once(billed, "tight", kill=False)
    assert set(told) <= {200, 429}, told
    assert told[429], "it ought to be used up by now"

    def row() -> dict:
        """Of the budget. What a killed gateway wrote last is booked once that is sealed."""
        (told,) = billed.json("budget", "list", "--tenant", "tight")
        return dict(told)

    until(lambda: int(row()["used"]) == _spent(billed, "tight", tmp_path))
    assert spent <= int(row()["used"]) <= LIMIT
    assert row()["hard"]
    assert row()["overshoot_tokens_per_request"] == 4096
    assert _status(billed, "demo", 1) == 200, "another tenant's requests are let in"
    billed.run("budget", "remove", "--tenant", "tight", "--period", "month")
    assert _status(billed, "tight", 1) == 200
    assert billed.run("ledger", "check").returncode == 0


def test_a_bill_is_what_an_auditor_makes_of_the_export(billed: Running, tmp_path: Path) -> None:
    """To the smallest unit, over a change of price, with cached tokens, by a file of its own."""
    prices = ("--prompt", "150", "--cached", "37.5", "--completion", "600", "--currency", "EUR")
    billed.run("price", "set", "--deployment", MODEL, *prices)
    for _ in range(3):
        assert _status(billed, "demo", 8) == 200
    changed = billed.json("price", "set", "--deployment", MODEL, *prices[:-1], "JPY")
    assert billed.run(
        "price", "set", "--deployment", MODEL, *prices, "--from", "2026-01-01", check=False
    ).returncode
    time.sleep(max(0.0, changed["since"] + 0.1 - time.time()))
    assert _status(billed, "demo", 8) == 200
    _spent(billed, "demo", tmp_path)
    page = tmp_path / "invoice.html"
    invoice = billed.json("invoice", "--tenant", "demo", "--month", month(), "-o", str(page))
    assert {total["currency"] for total in invoice["totals"]} == {"EUR", "JPY"}
    assert not invoice["final"]
    assert {line["kind"] for line in invoice["lines"]} >= {"prompt", "completion"}
    assert all(
        f"{one['amount']} {one['currency']}" in page.read_text() for one in invoice["totals"]
    )
    (tmp_path / "invoice").write_text(json.dumps(invoice))
    (tmp_path / "prices").write_text(json.dumps(billed.json("price", "list")))
    argv = [sys.executable, "-I", str(BILL), "demo.jsonl", "prices", month(), "invoice"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["records"] == invoice["records"] >= 4


def test_a_key_that_spent_its_money_is_refused_and_its_tenants_others_are_not(
    billed: Running,
) -> None:
    words = ("--tenant", "demo", "--role", "member")
    made = billed.json("key", "add", *words)
    billed.keys["spender"] = made["key"]
    prices = ("--prompt", "150", "--completion", "600", "--currency", "JPY")
    now = billed.json("price", "list")
    if not any(one["currency"] == "JPY" for one in now):
        billed.run("price", "set", "--deployment", MODEL, *prices)
    budget = ("--tenant", "demo", "--key", made["id"], "--money", "0", "--currency", "JPY")
    billed.run("budget", "set", *budget, "--period", "day", "--hard")
    in_force = max(one["since"] for one in billed.json("price", "list"))
    time.sleep(max(0.0, in_force + 0.1 - time.time()))
    assert _status(billed, "spender", 1) == 429
    assert _status(billed, "demo", 1) == 200
