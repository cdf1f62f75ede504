"""`kill -9` in the middle of a rotation: of an API key, the operator's own, and the log's key.

As `asset_kills`: a child rotates over a copy of a home and is killed just before a step; then the
home is opened again, as a start does, and the laws are asked.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from inland.adapters.files.clock import SystemEntropy
from inland.adapters.files.disk import Disk
from inland.bootstrap.books import check_ledger
from inland.domain.errors import InlandError
from inland.domain.plant import Key, Role
from inland.ledger import receipts
from inland.ledger.rotation import SCHEDULED
from inland.plant.keys import is_live
from tests.books_home import BooksHome
from tests.chaos.asset_kills import Fuse
from tests.unit.plant.parts import Plant

KILLS = 50
_OVERLAP_S = 3600


def _plant(home: Path) -> Plant:
    plant = Plant(home)
    plant.entropy = plant.changes.entropy = SystemEntropy()
    return plant


def _found(plant: Plant, role: Role) -> Key:
    """The first key of that role that was made."""
    keys = [key for key in plant.keys.all() if key.role is role]
    return min(keys, key=lambda key: key.created_unix_s)


def keys_template(home: Path) -> None:
    """A home with a tenant's key and an operator's, which its commands use."""
    home.mkdir()
    plant = _plant(home)
    plant.begin()
    plant.tenants.add("op", "acme")
    plant.keys.add("op", "acme", Role.MEMBER)
    _, text = plant.keys.add("op", None, Role.OPERATOR)
    (home / "keys" / "operator").write_text(f"{text}\n")
    plant.clock.sleep(10)
    plant.store.close()


def rotate_member(home: Path, fuse: Fuse) -> None:
    _rotate(home, fuse, Role.MEMBER)


def rotate_operator(home: Path, fuse: Fuse) -> None:
    _rotate(home, fuse, Role.OPERATOR)


def _rotate(home: Path, fuse: Fuse, role: Role) -> None:
    plant = _plant(home)
    plant.clock.sleep(100)
    old = _found(plant, role)
    fuse.lay()
    plant.keys.rotate("op", old.id, _OVERLAP_S)


def broken_keys(home: Path) -> list[str]:
    """A key has a successor and a record says so, or neither; the operator's file is in force."""
    plant = _plant(home)
    try:
        plant.begin()
        plant.keys.settle()
        told = []
        now_s = plant.clock.unix_us() // 1_000_000
        keys = {key.id: key for key in plant.keys.all()}
        said = {r["subject"]: r["details"] for r in plant.records() if r["what"] == "key.rotate"}
        for key in keys.values():
            named = said.get(key.id, {}).get("successor")
            if key.successor != named or (named is not None and named not in keys):
                told.append(f"the records say {named} follows, the state {key.successor}")
        for role in (Role.MEMBER, Role.OPERATOR):
            chain = [key for key in keys.values() if key.role is role and is_live(key, now_s)]
            if not chain:
                told.append(f"no {role} key works")
            whole = [key for key in chain if key.successor is None]
            if len(whole) != 1:
                told.append(f"{len(whole)} {role} keys have no end")
        kept = plant.secrets.operator_key()
        if kept is None or kept not in keys or not is_live(keys[kept], now_s):
            told.append("the operator is locked out")
        elif keys[kept].successor is not None:
            told.append("the operator's commands use a key that ends")
        if (home / "keys" / "operator.next").exists():
            told.append("a key waits for ever")
        return told
    finally:
        plant.store.close()


def log_template(home: Path) -> None:
    """A home with some records on the books."""
    books = BooksHome(home)
    books.serve(5)
    books.books.tick()
    books.kill_gateway()
    books.books.tick()
    books.close()


def rotate_log(home: Path, fuse: Fuse) -> None:
    books = BooksHome(home, seed=os.getpid())
    fuse.lay()
    books.books.rotate_log_key("op", SCHEDULED)


def broken_log(home: Path) -> list[str]:
    """One log signs; what ended is signed whole and leads to the next; every receipt verifies."""
    (before,) = (home.parent / "vkey").read_text().split()
    again = BooksHome(home, seed=os.getpid() + 1)
    told = []
    try:
        again.books.tick()
        again.changes.note("op", "factory.start", "control")
        again.books.tick()
        with again.store.read() as transaction:
            logs = transaction.books.logs()
            ids = [b.id for b in transaction.books.tenant_batches(0, 100, None)]
        vkey = again.books.vkey
        rotated = [r for r in _changes(again) if r["what"] == "log.rotate"]
        if (len(rotated) == 1) != (vkey != before) or len(logs) != len(rotated) + 1:
            told.append(f"{len(rotated)} rotations on the books, {len(logs)} logs")
        if not ids:
            told.append("the records are gone")
        for line in again.books.export("acme"):
            said = json.loads(line)
            if said["kind"] == "request":
                receipt = again.books.receipt(said["id"])
                try:
                    receipts.verify(receipt or b"", before)
                except receipts.Refused as error:
                    told.append(f"a receipt does not verify: {error}")
        left = [name for name in Disk(home).list("keys") if name.startswith("log")]
        if left != ["log"]:
            told.append(f"keys are left: {left}")
    finally:
        again.close()
    return [*told, *check_ledger(home).problems]


def _changes(home: BooksHome) -> list[dict[str, Any]]:
    with home.store.read() as transaction:
        return [
            json.loads(one.record)
            for log in transaction.books.logs()
            for one in transaction.books.log_records(log.number, 0, 10_000)
            if json.loads(one.record)["kind"] == "change"
        ]


Rotation = tuple[Callable[[Path], None], Callable[[Path, Fuse], None], Callable[[Path], list[str]]]
#: What is rotated: what makes a home, what rotates in it, and what is asked afterwards.
ROTATIONS: dict[str, Rotation] = {
    "key": (keys_template, rotate_member, broken_keys),
    "operator-key": (keys_template, rotate_operator, broken_keys),
    "log-key": (log_template, rotate_log, broken_log),
}


def died(home: Path, rotate: Callable[[Path, Fuse], None], fuse: Fuse) -> bool:
    """Rotate in a child with a fuse laid; whether it was killed."""
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(InlandError):
            rotate(home, fuse)
            (home.parent / "burnt").write_text(str(fuse.burnt))
            code = 0
        os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def run(folder: Path, kills: int, seed: int, keys: list[str]) -> dict[str, Any]:
    """That many kills, shared out among `keys`; the figure."""
    dice, begin = random.Random(seed), time.monotonic()
    found: list[str] = []
    landed: Counter[str] = Counter()
    steps: dict[str, int] = {}
    for name in keys:
        make, rotate, _ = ROTATIONS[name]
        make(folder / f"{name}-template")
        work = folder / f"{name}-whole"
        shutil.copytree(folder / f"{name}-template", work / "home")
        assert not died(work / "home", rotate, Fuse())
        steps[name] = int((work / "burnt").read_text())
    before = _vkey(folder / "log-key-template") if "log-key" in keys else ""
    for number in range(kills):
        name = keys[number % len(keys)]
        _, rotate, broken = ROTATIONS[name]
        work, at = folder / str(number), dice.randrange(steps[name])
        shutil.copytree(folder / f"{name}-template", work / "home")
        (work / "vkey").write_text(before)
        landed[name] += died(work / "home", rotate, Fuse(at))
        found += [f"{name} at step {at} of {steps[name]}: {one}" for one in broken(work / "home")]
        shutil.rmtree(work)
    seconds = round(time.monotonic() - begin, 1)
    told = {"soak": "rotation-kills", "seed": seed, "holds": not found, "seconds": seconds}
    return {**told, "kills": dict(landed), "steps": steps, "broken": found[:10]}


def _vkey(home: Path) -> str:
    books = BooksHome(home)
    try:
        return books.books.vkey
    finally:
        books.close()


def main() -> int:
    """Run it large; one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keys", nargs="+", choices=ROTATIONS, default=list(ROTATIONS))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = run(Path(folder), asked.kills, asked.seed, asked.keys)
    print(json.dumps(told))
    return int(not told["holds"])


if __name__ == "__main__":
    sys.exit(main())
