"""The laws of shares on 10,000 seeds: one admission, and four gateways of which one may die."""

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor

from tests.unit.decide.crowd import any_wait_s, crowd, reserved_wait_s
from tests.unit.decide.crowds import REACT_S, crowds

SEEDS = 10_000
#: Simulated seconds of each; the death of a gateway comes between 3 and 6 s.
ONE_S, FOUR_S = 10.0, 7.0


def hold(seed: int) -> tuple[str, float, float]:
    """What law was broken, if any; how much of the service bound was used; the longest idleness."""
    one, four = crowd(seed), crowds(seed)
    try:
        one.run(ONE_S)
        four.run(FOUR_S)
    except AssertionError as error:
        return f"seed {seed}: {error}", 0.0, 0.0
    broken = {
        "somebody starves": one.longest_wait_s > any_wait_s(one),
        "a reservation waits": one.longest_reserved_wait_s > reserved_wait_s(one),
        "the bound over four gateways": four.worst > 1,
        "a slot idles at one of four": four.longest_idle_s > REACT_S,
        "a reservation waits at one of four": four.longest_reserved_wait_s > four.reserved_wait_s(),
    }
    said = ", ".join(law for law, is_broken in broken.items() if is_broken)
    return said and f"seed {seed}: {said}", max(one.worst, four.worst), four.longest_idle_s


def main() -> int:
    """Print the figure; 1 if a law is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    asked = parser.parse_args()
    seeds = range(asked.seed * SEEDS, asked.seed * SEEDS + asked.seeds)
    start = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(hold, seeds, chunksize=50))
    broken = [said for said, _, _ in found if said]
    figure = {
        "soak": "fairness",
        "seed": asked.seed,
        "holds": not broken,
        "seconds": round(time.monotonic() - start, 1),
        "cpu_seconds": round(sum(os.times()[2:4]), 1),
        "seeds": asked.seeds,
        "most_of_the_bound": round(max(used for _, used, _ in found), 2),
        "longest_idle_ms": round(1000 * max(idle for _, _, idle in found)),
        "broken": broken[:10],
    }
    print(json.dumps(figure))
    return int(bool(broken))


if __name__ == "__main__":
    raise SystemExit(main())
