"""The full figures, seeded: what `make test` runs small, run large. One JSON line each."""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Where laws are properties; each is tried on far more examples than in a test.
LAWS = ("tests/unit", "tests/contract", "tests/chaos/test_books_forgetful.py")
KILLS = 30


def kills(seed: int) -> int:
    """Thirty `kill -9` under load over every role and phase; prints its own line."""
    argv = [sys.executable, "-m", "tests.chaos.kills", "--kills", str(KILLS), "--seed", str(seed)]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


def laws(seed: int) -> int:
    """Every property on the examples of the `soak` profile."""
    argv = [sys.executable, "-m", "pytest", "--soak", "-q", f"--hypothesis-seed={seed}", *LAWS]
    argv += ["-o", "timeout=3600"]
    start = time.monotonic()
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    last = done.stdout.strip().splitlines()[-1]
    counts = {outcome: int(count) for count, outcome in re.findall(r"(\d+) (\w+)", last)}
    kept = {name: counts.get(name, 0) for name in ("passed", "failed", "skipped")}
    seconds = round(time.monotonic() - start, 1)
    print(json.dumps({"soak": "laws", "seed": seed, "seconds": seconds, **kept}))
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
    return done.returncode


#: Every figure by name, in the order they run.
FIGURES = {"laws": laws, "kills": kills}


def main() -> int:
    """Run the figures that are named, or all; 1 if one of them does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", help=" ".join(FIGURES))
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if unknown := set(asked.figures) - set(FIGURES):
        parser.error(f"no figure named {', '.join(sorted(unknown))}")
    codes = [FIGURES[name](asked.seed) for name in asked.figures or FIGURES]
    return max(map(bool, codes))


if __name__ == "__main__":
    sys.exit(main())
