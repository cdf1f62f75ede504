"""How long a tenant waits for what is another's and for what is nobody's: a figure, not a test.

Asked in turn, one at a time, so that what disturbs one disturbs the other.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.factory.isolation.stage import ASK, Stage, stage
from tests.factory.isolation.table import Kind

WARM_UP = 20
#: Method, path and kind of what is asked about; a path without a name has it in the body.
ASKED = {
    "chat": ("POST", "/v1/chat/completions", Kind.DEPLOYMENT),
    "model": ("GET", "/v1/models/{}", Kind.DEPLOYMENT),
    "usage": ("GET", "/factory/v1/usage?tenant={}", Kind.TENANT),
    "records": ("GET", "/factory/v1/records?tenant={}", Kind.TENANT),
    "revoke": ("POST", "/factory/v1/keys/{}/revoke", Kind.KEY),
}


def timings(made: Stage, what: str, pairs: int) -> dict[str, float]:
    """Medians of both in microseconds, and of the differences pair by pair."""
    method, path, kind = ASKED[what]
    took: dict[str, list[float]] = {"foreign": [], "unknown": []}
    key = made.keys["alpha-admin"]
    with httpx.Client(
        base_url=made.factory.url, headers={"authorization": f"Bearer {key}"}, timeout=60
    ) as http:
        for number in range(pairs + WARM_UP):
            order = [("foreign", made.foreign[kind]), ("unknown", made.unknown[kind])]
            for which, name in order if number % 2 else reversed(order):
                body = None if "{}" in path else {"model": name, **ASK}
                begin = time.perf_counter()
                got = http.request(method, path.format(name), json=body)
                if number >= WARM_UP:
                    took[which].append((time.perf_counter() - begin) * 1e6)
                assert got.status_code == 404, got.text
    differences = [a - b for a, b in zip(took["foreign"], took["unknown"], strict=True)]
    figures = {f"{which}_us_p50": statistics.median(values) for which, values in took.items()}
    spread = statistics.quantiles(differences, n=4)
    figures |= {"difference_us_p50": spread[1], "difference_us_p25": spread[0]}
    figures["difference_us_p75"] = spread[2]
    return {name: round(value, 1) for name, value in figures.items()}


def main() -> int:
    """One JSON line for each route."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=300)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as made:
        for what in ASKED:
            told = {"soak": "isolation-timing", "asked": what, "pairs": asked.pairs}
            print(json.dumps(told | timings(made, what, asked.pairs)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
