"""A contract on a running factory: sold, kept for one tenant, breached for another, and proved."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import openai
import pytest

from inland.adapters.sql.database import Database, sqlite_url
from inland.domain.capacity import Point, Profile, StepModel
from inland.plant.snapshots import settings_in
from tests.chaos.wall_clock import LOOK_S, WallClock
from tests.factory.running import MODEL, Running, running, verify_outside
from tests.unit.decide.plain_verdicts import verdict

#: What the deployment is said to have been measured to do; measuring has a test of its own.
SAID = StepModel(0.0, 0.0, 0.002, 0.0001, 0.0)
PATIENT_MS = 60_000
#: How soon a minute that has ended must be judged.
JUDGED_S = 180


def _pretend_measured(factory: Running) -> None:
    store = Database(sqlite_url(factory.home / "inland.db"))
    with store.write() as transaction:
        state = transaction.state
        settings = settings_in(state, state.deployments()[MODEL])
        point = Point(64, 8, 1000.0, 500.0, 0.016)
        state.put_profile(Profile(MODEL, 1, settings, (point,), SAID, 8, 0.0, 1.0))
        state.raise_version()
    store.close()


def _sell(factory: Running, tenant: str) -> dict[str, Any]:
    objective = ("--tokens-per-second", "5", "--ttft-ms", str(PATIENT_MS))
    told = factory.json("contract", "add", "--tenant", tenant, "--deployment", MODEL, *objective)
    assert isinstance(told, dict)
    return told


def _ask(factory: Running, tenant: str, tokens: int) -> openai.Stream[Any]:
    return factory.client(tenant).chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Count to a thousand, one number a line."}],
        max_tokens=tokens,
        stream=True,
    )


def _cut(factory: Running, tenant: str) -> None:
    """The engine dies under an answer that has begun."""
    engine = factory.pid("engine")
    stream = _ask(factory, tenant, 1500)
    next(stream)
    os.kill(engine, signal.SIGKILL)
    with pytest.raises(openai.APIError):
        list(stream)


def _turn(clock: WallClock, ahead_s: int) -> None:
    """The factory's clock is so far ahead once this returns: each look at it that comes later than
    `LOOK_S` sees that."""
    clock.set(ahead_s)
    time.sleep(2 * LOOK_S)


def _judged(factory: Running, minutes: int) -> dict[str, Any]:
    """Reports by tenant, once each has judged that many minutes."""
    end, report = time.monotonic() + JUDGED_S, {}
    while time.monotonic() < end:
        report = factory.json("contract", "report")
        found = {one["contract"]["tenant"]: one for one in report["contracts"]}
        if all(len(one["minutes"]) >= minutes for one in found.values()):
            return found
        time.sleep(2)
    raise AssertionError(report)


def test_a_kept_and_a_breached_minute_are_told_apart_and_recomputed_from_the_export(
    tmp_path: Path, model_file: Path
) -> None:
    assert model_file.exists()
    clock = WallClock(tmp_path / "clock")
    with running(tmp_path / "home", environment=clock.environment()) as factory:
        factory.environment = {}  # commands have the machine's clock
        _pretend_measured(factory)
        sold = {tenant: _sell(factory, tenant) for tenant in ("acme", "demo")}
        refused = factory.run(
            *("contract", "add", "--tenant", "acme", "--deployment", MODEL, "--replace"),
            *("--tokens-per-second", "9999"),
            check=False,
        )
        assert "400 for sale" in refused.stderr
        ahead_s = 61 - int(time.time()) % 60
        _turn(clock, ahead_s)  # a minute has just begun
        list(_ask(factory, "acme", 20))
        _cut(factory, "demo")
        _turn(clock, ahead_s + 60)  # and is over
        found = _judged(factory, 1)
        assert (found["acme"]["breached"], found["acme"]["met"] > 0) == (0, True)
        assert found["demo"]["causes"]["capacity lost"] == 1
        _recompute(factory, tmp_path, found)
        _prove(factory, tmp_path, sold["acme"]["id"])


def _recompute(factory: Running, folder: Path, found: dict[str, Any]) -> None:
    """Whoever has the export and the terms gets every verdict."""
    for tenant, one in found.items():
        records = factory.records(tenant, folder)
        terms = one["contract"] | {name: one[name] for name in ("prompt_ppm", "stream_ppm")}
        for told in one["minutes"]:
            plain = verdict(records, terms, told.pop("minute_unix_s") // 60)
            assert list(told.values()) == list(plain or ())


def _prove(factory: Running, folder: Path, contract: str) -> None:
    """The tenant proves what it bought, and has its report as a page."""
    tenant = factory.as_tenant("acme")
    receipt = tenant.receipt(contract, folder / "contract.json")
    checked = verify_outside(receipt, factory.vkey(folder))
    assert checked.returncode == 0, checked.stderr
    bought = json.loads(receipt.read_text())["chain"][0]["record"]
    assert (bought["details"]["tenant"], bought["details"]["ttft_ms"]) == ("acme", PATIENT_MS)
    page = folder / "report.html"
    tenant.run("contract", "report", "-o", str(page))
    text = page.read_text()
    assert contract in text
    assert "100.00 % kept" in text
    assert "demo" not in text
