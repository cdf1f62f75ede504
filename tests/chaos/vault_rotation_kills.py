"""`kill -9` in the midst of a rotation of the factory key, and what a restart makes of it.

A child rotates over a copy of one home and is killed just before a step of it: an SQL statement, a
commit, an operation on a file. Then the home is opened by the new passphrase, or by the old one
where nothing had begun, and the laws are asked.
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
from contextlib import suppress
from pathlib import Path
from typing import Any

from inland.adapters.files.clock import SystemEntropy
from inland.adapters.files.disk import Disk
from inland.adapters.vault.embedded_keys import ROOT
from inland.adapters.vault.factory_key import FactoryKey, FactorySecret, Source
from inland.bootstrap.books import database
from inland.domain.errors import InlandError
from inland.ledger import canonical
from inland.ports.keys import KeyName, KeysAway
from tests.chaos.asset_kills import Fuse
from tests.unit.plant.parts import Plant
from tests.vaults import needed_folders

KILLS = 50
OLD, NEW = "correct horse", "battery staple"
CHEAP = {"n": 2, "r": 1, "p": 1}
NAMES = [KeyName("acme", f"asset-{n}") for n in range(6)]


def plant(home: Path, passphrase: str) -> Plant:
    """As control has it after a start with that passphrase."""
    file = home.parent / f"{home.name}.passphrase"
    file.write_text(passphrase)
    file.chmod(0o600)
    files, secret = Disk(home), FactorySecret(Source.PASSPHRASE, file)
    needed_folders(files)
    made = Plant(home, factory_keys=FactoryKey(files, secret, ROOT, scrypt=CHEAP))
    made.entropy = made.changes.entropy = SystemEntropy()
    return made


def template(home: Path) -> dict[KeyName, bytes]:
    """A home with some keys: what they are."""
    home.mkdir()
    made = plant(home, OLD)
    keys = {name: made.vault_keys.make(name) for name in NAMES}
    made.store.close()
    return keys


def died(home: Path, fuse: Fuse) -> bool:
    """Rotate in a child with a fuse laid; whether it was killed. What was counted stands beside."""
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(InlandError):
            made = plant(home, OLD)
            made.vault_keys.demand()
            (home.parent / f"{home.name}.passphrase").write_text(NEW)
            fuse.lay()
            made.vault_room.rotation.rotate("op")
            (home.parent / "burnt").write_text(str(fuse.burnt))
            code = 0
        os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def ended(home: Path) -> str:
    """How the books say that it came out, once it was settled."""
    store = database(home)
    try:
        with store.read() as transaction:
            rows = transaction.books.log_records(0, 0, 10_000)
        said = [canonical.decode(row.record).get("what") for row in rows]
    finally:
        store.close()
    return next((w for w in ("vault.rotated", "vault.undo") if w in said), "not intended")


def broken(home: Path, before: dict[KeyName, bytes]) -> list[str]:
    """The laws that do not hold in a home that a rotation was killed in, each as a sentence."""
    made = plant(home, NEW)
    try:
        made.vault_keys.demand()
    except KeysAway:
        made.store.close()
        made = plant(home, OLD)
    try:
        told = _opens(made, before, "as it was left")
        made.vault_room.look_at_keys()
        told += _opens(made, before, "once it was settled")
        return told + _books(made) + _left_over(home, made)
    except InlandError as error:
        return [f"it does not start again: {error}"]
    finally:
        made.store.close()


def _opens(made: Plant, before: dict[KeyName, bytes], when: str) -> list[str]:
    return [f"{n.asset} {when}" for n in NAMES if made.vault_keys.open(n) != before[n]]


def _books(made: Plant) -> list[str]:
    """An intent before its end, and each ended once."""
    told, begun, ended = [], set(), Counter[str]()
    for record in made.records():
        if record.get("what") == "vault.rotate":
            begun.add(record["id"])
        elif record.get("what") in {"vault.rotated", "vault.undo"}:
            ended[record["details"]["intent"]] += 1
            if record["details"]["intent"] not in begun:
                told.append("it ended before it was intended")
    return told + [f"intent {one} ended {ended[one]} times" for one in begun if ended[one] != 1]


def _left_over(home: Path, made: Plant) -> list[str]:
    folder = home / ROOT
    told = [f"{path.name} is left" for path in (folder / ".aside").iterdir()]
    if made.vault_keys.rotating() is not None or (folder / "factory.next.json").exists():
        told.append("it is still under way")
    return told


def run(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """That many kills; the figure."""
    dice, begin = random.Random(seed), time.monotonic()
    before = template(folder / "template")
    shutil.copytree(folder / "template", folder / "whole")
    assert not died(folder / "whole", Fuse())
    steps = int((folder / "burnt").read_text())
    found = broken(folder / "whole", before)
    landed, ends = 0, Counter[str]()
    for number in range(kills):  # one in each stretch of it
        stretch = range(number * steps // kills, (number + 1) * steps // kills)
        home, at = folder / str(number), dice.choice(stretch or [number % steps])
        shutil.copytree(folder / "template", home)
        landed += died(home, Fuse(at))
        found += [f"at step {at} of {steps}: {one}" for one in broken(home, before)]
        ends[ended(home)] += 1
        shutil.rmtree(home)
    told = {"soak": "vault-rotation-kills", "seed": seed, "holds": not found}
    told |= {"seconds": round(time.monotonic() - begin, 1), "kills": landed, "steps": steps}
    told["ends"] = dict(ends)
    return told | {"broken": found[:10]}


def main() -> int:
    """Run it large; one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = run(Path(folder), asked.kills, asked.seed)
    print(json.dumps(told))
    return int(not told["holds"])


if __name__ == "__main__":
    sys.exit(main())
