"""How long a withdrawal takes while an engine serves the tenant's weights and a job holds its set.

Timed three ways: the caller's, from the request to the answer; from the request to the end of the
engine and of the job's last process; and control's own, from its record of the withdrawal to that
of the job's end.
"""

import json
import os
import select
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from inland.bootstrap.books import database
from inland.ledger import canonical
from tests import memory_scan
from tests.factory import held
from tests.factory.running import Running, running
from tests.patience import PATIENCE_S, until

ROUNDS = 5
#: What is promised on a machine that does nothing else, in seconds.
WITHIN_S = 1.0


def measure(seed: int) -> dict[str, Any]:
    """The figure: the median and the longest of each, in seconds, and who holds a canary after."""
    rounds = []
    with (
        tempfile.TemporaryDirectory(prefix="inl-") as folder,
        running(Path(folder) / "home") as factory,
    ):
        held.begin(factory)
        (model_file,) = (factory.home / "models").glob("*.gguf")
        held.served_model(factory, model_file, Path(folder))
        for _ in range(ROUNDS):
            rounds.append(_round(factory))
            factory.run("vault", "give-back", "--tenant", "acme")
            held.until_served(factory)
    told: dict[str, Any] = {"soak": "withdrawal", "seed": seed}
    for what in ("round_trip_s", "ended_s", "control_s"):
        each = [one[what] for one in rounds]
        told[what] = {"median": round(statistics.median(each), 3), "most": round(max(each), 3)}
    holding = sorted({role for one in rounds for role in one["holding"]})
    within = all(told[what]["most"] < WITHIN_S for what in ("round_trip_s", "ended_s"))
    return told | {"rounds": len(rounds), "holding": holding, "holds": within and not holding}


def _round(factory: Running) -> dict[str, Any]:
    work = held.begun(factory, held.training_set(factory))
    pids = {*memory_scan.descendants(work["pid"]), held.engine(factory)}
    ends = [os.pidfd_open(pid) for pid in pids]
    with factory.http("acme-admin") as http, ThreadPoolExecutor(1) as pool:
        http.get("/factory/v1/vault")  # what connecting takes is not of the withdrawal
        began = time.monotonic()
        asked = pool.submit(_withdrawn, http)
        ended = _ended(ends)
        answered = asked.result()
    time.sleep(max(0.0, began + WITHIN_S - time.monotonic()))
    return {
        "round_trip_s": answered - began,
        "ended_s": ended - began,
        "control_s": _control_s(factory.home, work["id"]),
        "holding": _holding(factory),
    }


def _withdrawn(http: httpx.Client) -> float:
    """When it was answered."""
    http.post("/factory/v1/vault/withdraw", json={}).raise_for_status()
    return time.monotonic()


def _ended(ends: list[int]) -> float:
    """When the last of these processes ended."""
    left = set(ends)
    while left:
        seen, _, _ = select.select(list(left), [], [], PATIENCE_S)
        assert seen, "it does not end"
        left -= set(seen)
    last = time.monotonic()
    for one in ends:
        os.close(one)
    return last


def _control_s(home: Path, job: str) -> float:
    """Between the records of the last withdrawal and of the job's end."""

    def said() -> dict[str, int]:
        store = database(home)
        try:
            with store.read() as transaction:
                number = transaction.books.logs()[-1].number
                rows = transaction.books.log_records(number, 0, 100_000)
        finally:
            store.close()
        told = {}
        for record in (canonical.decode(row.record) for row in rows):
            if record.get("what") == "vault.withdraw":
                told["withdrawn"] = record["time"]
            if record.get("what") == "job.end" and record["details"]["job"] == job:
                told["ended"] = record["time"]
        return told

    until(lambda: "ended" in said(), "the job's end is not on the books")
    times = said()
    return (times["ended"] - times["withdrawn"]) / 1e6


def _holding(factory: Running) -> set[str]:
    """The roles of processes whose memory has a canary still."""
    found = held.holding(factory, held.IN_MODEL, held.IN_SET)
    return {one["role"] for one in factory.processes() if one["pid"] in found}


def soak(seed: int) -> int:
    """Its line; 1 where it does not hold."""
    figure = measure(seed)
    print(json.dumps(figure))
    return int(not figure["holds"])
