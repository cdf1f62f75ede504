"""`inland record destroy` that is killed half way: all of them go, or none that is not intended."""

from pathlib import Path

from inland.bootstrap.books import check_ledger
from inland.ledger import receipts
from inland.ledger.tombstones import is_tombstone
from tests.chaos.fuse import Act, Fuse
from tests.unit.books.destroying_world import JANUARY_S, KEYS, World

TENANT, BESIDE = "acme", "demo"
#: What is to stay as it was: what was used, by a tenant and month's bill.
MONTHS = ("2026-11", "2026-12")


def make(home: Path) -> None:
    """Books, with how many are to go, what stays and the log's key beside them."""
    world = World(home)
    going = world.of(TENANT, 0, JANUARY_S)
    (home.parent / "going").write_text("\n".join(one["id"] for one in going))
    stay = [*world.of(TENANT, JANUARY_S, 1 << 40), *world.of(BESIDE, 0, 1 << 40)]
    (home.parent / "stay").write_text("\n".join(one["id"] for one in stay))
    (home.parent / "came-to").write_text(_came_to(world))
    world.home.close()


def destroy(home: Path, fuse: Fuse) -> None:
    world = World(home)
    fuse.lay()
    world.destroying.destroy(KEYS["admin"], TENANT, JANUARY_S)


def broken(home: Path) -> list[str]:
    """The laws that do not hold, as it was left and once it was gone on with."""
    told = [f"as it was left: {one}" for one in check_ledger(home).problems]
    world = World(home)
    try:
        intended = sum(one["what"] == "record.intend" for one in world.said())
        if _stones(world) and not intended:
            told.append("records went that were not intended to")
        world.destroying.step()
        told += _ended(world, home.parent)
        world.books.tick()
        told += _kept(world, home.parent)
    finally:
        world.home.close()
    return told + [f"gone on with: {one}" for one in check_ledger(home).problems]


def ended(home: Path) -> str:
    world = World(home)
    try:
        said = [one["what"] for one in world.said()]
    finally:
        world.home.close()
    return next((one for one in ("record.destroy", "record.intend") if one in said), "not intended")


def _ended(world: World, beside: Path) -> list[str]:
    """Whole or not at all, an intent before its end, and each ended once."""
    said = [one for one in world.said() if one["what"].startswith("record.")]
    order = [one["what"] for one in said]
    told = []
    if order not in ([], ["record.intend", "record.destroy"]):
        told.append(f"the books say {order}")
    elif order and said[1]["details"]["intent"] != said[0]["id"]:
        told.append("it ended another one's intent")
    going = (beside / "going").read_text().split()
    expected = len(going) if order else 0
    if _stones(world) != expected:
        told.append(f"{_stones(world)} of {len(going)} are gone, and the books say {order}")
    return told


def _kept(world: World, beside: Path) -> list[str]:
    """All others prove what they did, and what those that went came to stays."""
    told = []
    for one in (beside / "stay").read_text().split():
        try:
            receipts.verify(world.books.receipt(one) or b"", world.books.vkey)
        except receipts.Refused as error:
            told.append(f"a receipt does not verify: {error}")
    if _came_to(world) != (beside / "came-to").read_text():
        told.append("usage or a bill is another")
    return told


def _stones(world: World) -> int:
    return sum(map(is_tombstone, world.books.export(TENANT)))


def _came_to(world: World) -> str:
    bills = [world.invoices.make(one, month) for one in (TENANT, BESIDE) for month in MONTHS]
    return repr((world.books.usage(None), bills))


ACTS = {"record-destroy": Act(make, destroy, broken, ended)}
