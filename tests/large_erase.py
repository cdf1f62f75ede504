"""An asset that twenty thousand were made of, erased beside a small one: how long it takes, how
long any writer had to wait for it, and when the small one was gone.

Prints one JSON line. Of the many only the rows are real: they have neither keys nor parts.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from inland.adapters.sql.database import Database, SqlTransaction
from inland.domain.assets import AssetState
from inland.plant import erasures
from tests.unit.assets.world import World, set_small_parts

MANY = 20_000
#: Of a hundred children each has as many of its own as are left.
CHILDREN = 100
#: The longest that a writer may wait for one transaction of an erase, in seconds.
HELD_S = 1.0


class Timed:
    """How long each transaction that writes was open."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def lay(self) -> None:
        """Time all of them from now on."""
        write = Database.write

        @contextmanager
        def timed(store: Database) -> Iterator[SqlTransaction]:
            begin = time.monotonic()
            with write(store) as transaction:
                yield transaction
            self.seconds.append(time.monotonic() - begin)

        Database.write = timed  # type: ignore[method-assign, assignment]


def grown(world: World, many: int) -> tuple[str, str]:
    """A root that so many were made of; and a small asset beside."""
    root, small = world.add(name="root"), world.add(name="small")
    with world.plant.store.write() as transaction:
        (row,) = transaction.assets.some([root])
        for number in range(many):
            above = root if number < CHILDREN else f"{number % CHILDREN:032x}"
            child = replace(row, id=f"{number:032x}", parents=(above,), bytes=0, name=b"")
            transaction.assets.put_asset(child)
    return root, small


def measure(many: int) -> dict[str, Any]:
    """The figure."""
    set_small_parts()
    with tempfile.TemporaryDirectory() as folder:
        world, timed = World(Path(folder)), Timed()
        root, small = grown(world, many)
        world.plant.changes.clock = _Clock()
        erasures.ANSWER_S = -1.0
        timed.lay()
        begin = time.monotonic()
        for asset in (root, small):
            world.plant.erasures.erase(world.admin, asset)
        small_s = 0.0
        while _state(world, root) is not AssetState.ERASED:
            world.plant.upkeep.step()
            if not small_s and _state(world, small) is AssetState.ERASED:
                small_s = time.monotonic() - begin
        whole_s = time.monotonic() - begin
        told = world.plant.erasures.erase(world.admin, root)
        world.plant.store.close()
    held_s = max(timed.seconds)
    return {
        "soak": "large-erase",
        "holds": told.count == many + 1 and held_s < HELD_S and 0 < small_s < whole_s,
        "assets": told.count,
        "seconds": round(whole_s, 1),
        "small_beside_s": round(small_s, 2),
        "transactions": len(timed.seconds),
        "longest_transaction_ms": round(held_s * 1000),
    }


class _Clock:
    """The plant's, going on by itself."""

    def unix_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _state(world: World, asset: str) -> AssetState:
    with world.plant.store.read() as transaction:
        (row,) = transaction.assets.some([asset])
    return row.state


def main() -> int:
    """Run it; one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=MANY)
    told = measure(parser.parse_args().assets)
    print(json.dumps(told))
    return int(not told["holds"])


if __name__ == "__main__":
    sys.exit(main())
