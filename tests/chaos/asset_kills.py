"""Acts on assets that are killed half way: an upload, a move, an export and an erase."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from inland.bootstrap.books import database
from inland.cli.files import replacing
from inland.domain.assets import LOCAL_STORE, AssetState
from inland.domain.errors import InlandError
from inland.ledger import canonical
from inland.ports.keys import KeyGone
from inland.ports.vault import PartName
from tests.chaos.fuse import Act, Fuse
from tests.unit.assets.world import World, set_small_parts
from tests.unit.plant.parts import ANNEX

CONTENT = bytes(range(256)) * 2
#: How many acts were intended before: two assets were added.
BEFORE = 2
#: Opens a home as control does.
Opened = Callable[[Path], World]


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
    world.plant.erasures.erase(world.admin, named(world, "first"))


#: What is done, and the names that may be there afterwards.
DONE: dict[str, tuple[Callable[[World, Path], None], list[list[str]]]] = {
    "upload": (upload, [["first", "second"], ["first", "new", "second"]]),
    "move": (move, [["first", "second"]]),
    "export": (export, [["first", "second"]]),
    "erase": (erase, [[], ["first", "second"]]),
}
_ENDS = ("asset.add", "asset.move", "asset.export", "asset.erase")


def named(world: World, name: str) -> str:
    """The id of the asset of that name."""
    (found,) = [one.id for one in world.plant.assets.all(world.admin) if one.name == name]
    return found


def made(home: Path, opened: Opened = World) -> None:
    """A home with an asset, and one that was made of it."""
    set_small_parts()
    home.mkdir()
    world = opened(home)
    first = world.add(CONTENT, name="first")
    world.add(CONTENT, name="second", parents=(first,))
    world.plant.store.close()


def do(act: str, home: Path, fuse: Fuse, opened: Opened = World) -> None:
    world = opened(home)
    fuse.lay()
    DONE[act][0](world, home)


def broken(act: str, home: Path, opened: Opened = World) -> list[str]:
    """The laws that do not hold in a home that an act was killed in, each as a sentence."""
    world = opened(home)
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
    (home.parent / "intent").write_text(next(iter(intended[BEFORE:]), ""))
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
    if names not in DONE[act][1]:
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


def ended(home: Path) -> str:
    """How the books say that it came out, once it was settled."""
    store = database(home)
    try:
        with store.read() as transaction:
            rows = transaction.books.log_records(0, 0, 10_000)
    finally:
        store.close()
    said = [canonical.decode(row.record) for row in rows]
    intent = (home.parent / "intent").read_text()
    if not intent:
        return "not intended"
    ends = [one["what"] for one in said if one.get("details", {}).get("intent") == intent]
    return str(next((one for one in ends if one in {*_ENDS, "asset.undo"}), "goes on"))


ACTS = {act: Act(made, partial(do, act), partial(broken, act), ended) for act in DONE}
