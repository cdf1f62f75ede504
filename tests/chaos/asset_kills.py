"""`kill -9` in the middle of an upload, a move, an export and an erase, and what becomes of it.

A child does the act over a copy of one home and is killed just before a step of it: an SQL
statement, a commit, an operation on a file. Then the home is opened again and the laws are asked.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from inland.adapters.files.disk import Disk, DiskFile
from inland.cli.files import replacing
from inland.domain.assets import LOCAL_STORE, AssetState
from inland.domain.errors import InlandError
from inland.ports.keys import KeyGone
from inland.ports.vault import PartName
from tests.unit.assets.world import STEP, World, set_small_parts
from tests.unit.plant.parts import ANNEX

CONTENT = bytes(range(256)) * 2
KILLS = 50
_FILE_STEPS: dict[Any, tuple[str, ...]] = {
    Disk: ("open", "rename", "remove", "sync_dir", "make_dir"),
    DiskFile: ("append", "commit", "sync"),
    Path: ("rename", "unlink"),
    os: ("fsync",),
}


class Fuse:
    """Counts down, and then kills this very process; without a number it only counts."""

    def __init__(self, left: int | None = None) -> None:
        self.left = left
        self.burnt = 0

    def burn(self, *_: Any) -> None:
        if self.left is not None and self.burnt == self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        self.burnt += 1

    def lay(self) -> None:
        """Burn at each statement, commit and operation on a file from now on, whoever does it."""
        event.listen(Engine, "before_cursor_execute", self.burn)
        event.listen(Engine, "commit", self.burn)
        for kind, names in _FILE_STEPS.items():
            for name in names:
                done = getattr(kind, name)

                def burning(*given: Any, done: Any = done, **named: Any) -> Any:
                    self.burn()
                    return done(*given, **named)

                setattr(kind, name, burning)


def upload(world: World, home: Path) -> None:
    """A new asset, whole."""
    asset = world.begin(CONTENT, name="new", resume="the file")
    world.put(asset, CONTENT)
    world.plant.uploads.finish(world.member, asset)


def export(world: World, home: Path) -> None:
    """The first asset into a file."""
    asset = named(world, "first")
    begun = world.plant.exports.begin(world.member, asset)
    with replacing(home / "out") as file:
        for number in range(begun.parts):
            file.write(world.plant.exports.part(world.member, asset, begun.id, number))
        world.plant.exports.finish(world.member, asset, begun.id)


def move(world: World, home: Path) -> None:
    """The first asset into the other store."""
    world.plant.moves.move(world.admin, named(world, "first"), ANNEX.id)


def erase(world: World, home: Path) -> None:
    """The first asset, and the second, which was made of it."""
    world.plant.erasing.erase(world.admin, named(world, "first"))


ACTS: dict[str, Callable[[World, Path], None]] = {
    "upload": upload,
    "move": move,
    "export": export,
    "erase": erase,
}
_ENDS = ("asset.add", "asset.move", "asset.export", "asset.erase")


def named(world: World, name: str) -> str:
    """The id of the asset of that name."""
    (found,) = [one.id for one in world.plant.assets.all(world.admin) if one.name == name]
    return found


def template(home: Path) -> None:
    """A home with an asset, and one that was made of it."""
    home.mkdir()
    world = World(home)
    first = world.add(CONTENT, name="first")
    world.add(CONTENT, name="second", parents=(first,))
    world.plant.store.close()


def died(home: Path, act: str, fuse: Fuse) -> bool:
    """Do the act in a child with a fuse laid; whether it was killed. What was counted stands in
    `burnt`, beside the home."""
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(InlandError):
            world = World(home)
            fuse.lay()
            ACTS[act](world, home)
            (home.parent / "burnt").write_text(str(fuse.burnt))
            code = 0
        os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, act
    return os.WIFSIGNALED(status)


def broken(home: Path, act: str) -> list[str]:
    """The laws that do not hold in a home that an act was killed in, each as a sentence."""
    world = World(home)
    try:
        return [
            *_before(world),
            *_after(world, home, act),
            *_without_orphans(world),
        ]
    finally:
        world.plant.store.close()


def _before(world: World) -> list[str]:
    """As it was left: what is live opens, unless its end was on the books before."""
    told = []
    with world.plant.store.read() as transaction:
        rows = transaction.assets.assets(None)
    meant = [r["details"] for r in world.plant.records() if r.get("what") == "asset.intend"]
    intents = {one for details in meant for one in details.get("erased", ())}
    for row in rows:
        opens = _opens(world, row.tenant, row.id)
        if row.state is AssetState.LIVE and not opens:
            told.append(f"{row.id} is live and does not open")
        if row.state is AssetState.ERASING and row.id not in intents:
            told.append(f"{row.id} goes without an intent")
    return told


def _after(world: World, home: Path, act: str) -> list[str]:
    """Once what was left has been settled: whole or not at all, and the books say which."""
    world.plant.upkeep.step()
    records = world.plant.records()
    at = {record["id"]: number for number, record in enumerate(records)}
    ends = [r for r in records if r.get("what") in _ENDS]
    undone = [r for r in records if r.get("what") == "asset.undo"]
    told = [
        f"{record['what']} has no intent before it"
        for number, record in enumerate(records)
        if record in ends + undone and at.get(record["details"]["intent"], number) >= number
    ]
    intended = [r["id"] for r in records if r.get("what") == "asset.intend"]
    settled = Counter(r["details"]["intent"] for r in ends + undone)
    with world.plant.store.read() as transaction:
        open_ = {one.id for one in transaction.assets.intents()}
    told += [
        f"intent {one} ended {settled[one]} times"
        for one in intended
        if settled[one] + (one in open_) != 1
    ]
    if act != "upload" and open_:
        told.append("something was neither finished nor undone")
    names = sorted(str(one.name) for one in world.plant.assets.all(world.admin))
    whole = {
        "upload": [["first", "second"], ["first", "new", "second"]],
        "export": [["first", "second"]],
        "move": [["first", "second"]],
        "erase": [[], ["first", "second"]],
    }
    if names not in whole[act]:
        told.append(f"there are {names}")
    told += [f"{n} is not whole" for n in names if world.read(named(world, n)) != CONTENT]
    if act == "move":
        told += _one_place(world, moved=any(r["what"] == "asset.move" for r in ends))
    out = home / "out"
    if out.exists() and out.read_bytes() != CONTENT:
        told.append("half a file was exported")
    return told


def _one_place(world: World, *, moved: bool) -> list[str]:
    """What was being moved lies in one store, the one that the books say, and nowhere else."""
    asset = named(world, "first")
    stores = world.plant.stores
    there = [name for name in stores.places if asset in stores.holds(name)]
    said = [ANNEX.id if moved else LOCAL_STORE]
    with world.plant.store.read() as transaction:
        row = transaction.assets.asset(asset)
    known = [] if row is None else [row.store]
    if there == said == known:
        return []
    return [f"it lies in {there}; the records say {said}, the state {known}"]


def _without_orphans(world: World) -> list[str]:
    """An upload goes on, or is removed in its time; the vault holds what the database knows."""
    world.plant.clock.sleep(world.plant.limits.upload_s + 100)
    world.plant.upkeep.step()
    with world.plant.store.read() as transaction:
        rows = transaction.assets.assets(None)
    there = {(row.tenant, row.id) for row in rows if row.state is AssetState.LIVE}
    found = set(world.plant.vault.assets())
    told = [f"{asset} is an orphan" for _, asset in found - there]
    list(world.plant.vault_room.check(repair=True))
    left = list(world.plant.vault_room.check(repair=False))
    return told + [f"after a repair {one.asset} is still {one.wrong}" for one in left]


def _opens(world: World, tenant: str, asset: str) -> bool:
    try:
        world.plant.vault.get(PartName(tenant, asset, 0))
    except (KeyGone, InlandError):
        return False
    return True


def run(folder: Path, kills: int, seed: int, acts: list[str]) -> dict[str, Any]:
    """That many kills, shared out among `acts`; the figure."""
    set_small_parts()
    dice, begin = random.Random(seed), time.monotonic()
    home = folder / "template"
    template(home)
    found: list[str] = []
    landed: Counter[str] = Counter()
    for number in range(kills):
        act = acts[number % len(acts)]
        work = folder / str(number)
        if number < len(acts):  # how many steps it has
            shutil.copytree(home, work / "whole")
            assert not died(work / "whole", act, Fuse())
            (folder / f"{act}.steps").write_text((work / "burnt").read_text())
        steps = int((folder / f"{act}.steps").read_text())
        copy, at = work / "home", dice.randrange(steps)
        shutil.copytree(home, copy)
        landed[act] += died(copy, act, Fuse(at))
        found += [f"{act} at step {at} of {steps}: {one}" for one in broken(copy, act)]
        shutil.rmtree(work)
    seconds = round(time.monotonic() - begin, 1)
    told = {"soak": "asset-kills", "seed": seed, "holds": not found, "seconds": seconds}
    return {**told, "kills": dict(landed), "part_bytes": STEP, "broken": found[:10]}


def main() -> int:
    """Run it large; one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--acts", nargs="+", choices=ACTS, default=list(ACTS))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = run(Path(folder), asked.kills, asked.seed, asked.acts)
    print(json.dumps(told))
    return int(not told["holds"])


if __name__ == "__main__":
    sys.exit(main())
