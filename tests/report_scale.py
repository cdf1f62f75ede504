"""What a report of a month costs: its time and its memory, over books that the real booking filled.

One tenant, one contract, records spread over thirty days; the report is made in a process of its
own, as control would make it.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inland.domain.contracts import Contract
from inland.domain.months import month_of
from inland.plant.reports import Reports
from tests.books_home import BooksHome

RECORDS = 1_000_000
BATCH = 250
#: A month of a million records is reported with less memory than this.
PEAK_LIMIT_BYTES = 512 << 20
MONTH = month_of("2026-11")
TERMS = Contract("", "acme", "smollm2", 50, 500, since_unix_s=MONTH.since_unix_s)


class _After:
    """It is the end of the month."""

    def unix_us(self) -> int:
        return MONTH.until_unix_s * 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        raise AssertionError


def fill(root: Path, records: int, seed: int) -> None:
    """A home with a contract and a month of its tenant's records."""
    home = BooksHome(root, ("acme",), seed)
    terms = {**asdict(TERMS), "tier": TERMS.tier.value, "prompt_ppm": 200_000, "stream_ppm": 0}
    with home.changes.change("op") as change:
        contract = change.book("contract.add", "acme", **terms)
        change.state.put_contract(Contract(**{**asdict(TERMS), "id": contract}))
    batches = -(-records // BATCH)
    for number in range(batches):
        since_s = number * (MONTH.until_unix_s - MONTH.since_unix_s) // batches
        home.at((MONTH.since_unix_s + since_s) * 1_000_000)
        home.serve(min(BATCH, records - number * BATCH))
        if number % 40 == 39:
            home.books.tick()
    home.books.tick()
    home.close()


def report(root: Path) -> dict[str, Any]:
    """The month of a home that is filled, and what it cost."""
    home = BooksHome(root, ("acme",))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = time.monotonic(), time.process_time()
    (one,) = Reports(home.store, home.books, _After(), 660).month(MONTH.name, None, None).contracts
    told = {
        "seconds": round(time.monotonic() - start, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "before_bytes": before * 1024,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "minutes": len(one.verdicts),
        "requests": sum(verdict.requests for verdict in one.verdicts),
    }
    home.close()
    return told


def run(records: int, seed: int) -> int:
    """Print one JSON line; 1 where it takes more memory than promised or loses a record."""
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "home", records, seed)
        argv = [sys.executable, "-m", "tests.report_scale", "--report", f"{folder}/home"]
        told = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    holds = told["peak_bytes"] < PEAK_LIMIT_BYTES and told["requests"] == records
    line = {"soak": "report", "seed": seed, "holds": holds, "records": records, **told}
    print(json.dumps(line))
    return int(not holds)


def main() -> int:
    """Print one JSON line; exit 1 if it does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--report", type=Path)
    asked = parser.parse_args()
    if asked.report is not None:
        print(json.dumps(report(asked.report)))
        return 0
    return run(asked.records, asked.seed)


if __name__ == "__main__":
    sys.exit(main())
