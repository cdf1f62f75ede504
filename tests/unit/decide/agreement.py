"""The figure of the soak: the default policies beside the promises, one JSON line for each kind."""

import argparse
import json
import sys
import time

from tests.unit.decide import asset_promises, promises


def main() -> int:
    """1 where any question was answered differently."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=100_000)
    asked = parser.parse_args()
    differ = 0
    for of, compare in (("models", promises.compare), ("assets", asset_promises.compare)):
        begin = time.monotonic()
        agreed = compare(asked.seed, asked.cases)
        told = {"seed": asked.seed, "cases": agreed.cases, "allowed": agreed.allowed}
        told["differ"], told["seconds"] = len(agreed.differ), round(time.monotonic() - begin)
        print(json.dumps({"soak": "policies", "of": of, **told}))
        print("\n".join(agreed.differ[:10]), file=sys.stderr)
        differ += len(agreed.differ)
    return int(bool(differ))


if __name__ == "__main__":
    sys.exit(main())
