"""How check, backup and restore grow with a home: time, memory and bytes at several sizes.

The homes are filled by the real booking, and each step is the command a person runs, alone.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.books_home import BooksHome

SIZES = (100_000, 250_000, 1_000_000)
TENANTS = tuple(f"tenant-{number}" for number in range(10))
#: Records of a second's batch.
BATCH = 1000
#: A million records are to be checked, kept and put back with less memory than this.
PEAK_LIMIT_BYTES = 1 << 30
#: No step may grow faster than n log n; measured on a busy machine, with this much to spare.
SLACK = 1.5
INLAND = str(Path(sys.executable).with_name("inland"))
#: Starts a command from a small process: a child's peak counts the memory of who started it.
_ALONE = """
import json, os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(pid, 0)
code, cpu_s = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
print(json.dumps([code, cpu_s, used.ru_maxrss]))
"""


def run_step(*words: str) -> dict[str, float]:
    """One command, alone: its seconds and its peak memory. Raises where it fails."""
    start = time.monotonic()
    argv = [sys.executable, "-I", "-c", _ALONE, INLAND, *words]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
    code, cpu_s, peak_kib = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, words
    return {
        "seconds": round(time.monotonic() - start, 2),
        "cpu_s": round(cpu_s, 2),
        "peak_bytes": peak_kib * 1024,
    }


def fill(root: Path, records: int, seed: int) -> float:
    """Make a home with so many booked records; the seconds it took."""
    start = time.monotonic()
    filled = BooksHome(root, TENANTS, seed)
    for _ in filled.fill(records, BATCH):
        pass
    filled.close()
    return round(time.monotonic() - start, 2)


def measure(records: int, seed: int, folder: Path) -> dict[str, Any]:
    """Every step at one size."""
    home, file, again = (str(folder / name) for name in ("home", "backup", "again"))
    found: dict[str, Any] = {"records": records, "book_s": fill(Path(home), records, seed)}
    found["check"] = run_step("ledger", "check", "--home", home)
    found["backup"] = run_step("backup", file, "--home", home)
    found["bytes"] = Path(file).stat().st_size
    found["bytes_per_record"] = round(found["bytes"] / records, 1)
    found["restore"] = run_step("restore", file, "--home", again)
    found["check_restored"] = run_step("ledger", "check", "--home", again)
    return found


STEPS = ("check", "backup", "restore", "check_restored")


def growth(sizes: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Of each step, from one size to the next: its processor time over that of n log n."""
    return {
        step: [
            round(
                (more[step]["cpu_s"] / less[step]["cpu_s"])
                / (_work(more["records"]) / _work(less["records"])),
                2,
            )
            for less, more in pairwise(sizes)
        ]
        for step in STEPS
    }


def _work(records: int) -> float:
    return records * math.log2(records)


def run_scale(seed: int, sizes: tuple[int, ...] = SIZES) -> int:
    """Print one JSON line; 1 where memory or growth is beyond what is promised."""
    measured = []
    for records in sizes:
        with tempfile.TemporaryDirectory() as folder:
            measured.append(measure(records, seed, Path(folder)))
        print(json.dumps(measured[-1]), file=sys.stderr)
    ratios = growth(measured)
    peak = max(size[step]["peak_bytes"] for size in measured for step in STEPS)
    holds = peak < PEAK_LIMIT_BYTES and max(map(max, ratios.values())) < SLACK
    told = {"peak_bytes": peak, "growth_over_n_log_n": ratios, "sizes": measured}
    print(json.dumps({"soak": "scale", "seed": seed, "holds": holds, **told}))
    return int(not holds)


def main() -> int:
    """Print one JSON line; exit 1 if it does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    asked = parser.parse_args()
    return run_scale(asked.seed, tuple(asked.sizes))


if __name__ == "__main__":
    sys.exit(main())
