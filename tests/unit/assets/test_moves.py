"""Moves: to where labels let it lie, whole in one place by the books, taken back, or cut and gone
on with."""

from collections.abc import Callable
from typing import Any

import pytest

from inland.domain.assets import LOCAL_STORE
from inland.domain.errors import BadInput, Conflict, Denied, NotFound
from inland.plant.asset_terms import AssetTerms
from inland.plant.moves import Move, MoveStage
from inland.plant.vault import Wrong
from inland.ports.assets import AssetRow, Intent
from inland.ports.blobs import Blobs, BlobsAway
from inland.ports.keys import KeyName
from inland.ports.vault import PartName
from tests.unit.assets.world import CANARY, STEP, World
from tests.unit.plant.parts import ABROAD, ANNEX, SITE

DATA = CANARY * 20


def there(world: World, asset: str) -> list[str]:
    """The stores that something of it lies in."""
    stores = world.plant.stores
    return [name for name in stores.places if asset in stores.holds(name)]


def test_what_is_moved_lies_there_alone_and_reads_the_same(world: World):
    asset, beside = world.add(DATA), world.add(DATA, name="beside")
    moved = world.plant.moves.move(world.admin, asset, ANNEX.id)
    assert (moved.stage, moved.done_bytes) == (MoveStage.MOVED, len(DATA))
    assert there(world, asset) == [ANNEX.id]
    assert there(world, beside) == [LOCAL_STORE]
    shown = world.plant.assets.show(world.member, asset)
    assert (shown.lies, shown.partly_in) == (ANNEX, "")
    assert world.read(asset) == DATA
    assert list(world.plant.vault_room.check(repair=False)) == []
    *_, intended, _ = world.said("asset.intend")
    (said,) = world.said("asset.move")
    assert said["id"] == moved.record
    assert said["details"]["intent"] == intended["id"]
    assert intended["details"]["decided_by"] == ["asset.move"]
    assert intended["details"]["place"]["id"] == SITE.id
    assert said["details"]["destination"]["id"] == ANNEX.id
    assert world.plant.moves.move(world.operator, asset, LOCAL_STORE).stage is MoveStage.MOVED
    assert there(world, asset) == [LOCAL_STORE]
    assert world.read(asset) == DATA


def test_a_move_to_where_it_lies_does_nothing(world: World):
    asset = world.add()
    told = world.plant.moves.move(world.admin, asset, LOCAL_STORE)
    assert (told.stage, told.record) == (MoveStage.MOVED, "")
    assert len(world.said("asset.intend")) == 1


def test_a_move_is_decided_by_the_labels_of_where_it_goes(world: World):
    asset = world.add()
    for who in (world.admin, world.operator):
        with pytest.raises(Denied, match="stored"):
            world.plant.moves.move(who, asset, ABROAD.id)
    with pytest.raises(Denied):
        world.plant.moves.move(world.member, asset, ANNEX.id)
    with pytest.raises(NotFound):
        world.plant.moves.move(world.other, asset, ANNEX.id)
    with pytest.raises(BadInput, match="annex"):
        world.plant.moves.move(world.admin, asset, "nowhere")
    assert there(world, asset) == [LOCAL_STORE]
    assert len(world.said("asset.intend")) == 1, "nothing was intended that was not allowed"


def row(world: World, asset: str) -> AssetRow:
    with world.plant.store.read() as transaction:
        found = transaction.assets.asset(asset)
    assert found is not None
    return found


def at_part(world: World, number: int, act: Callable[[], object]) -> None:
    """Do something just before that part is copied, once."""
    stores: Any = world.plant.stores
    copy = stores.copy

    def copying(part: PartName, *where: object) -> None:
        if part.number == number:
            stores.copy = copy
            act()
        copy(part, *where)

    stores.copy = copying


def test_it_is_read_while_it_is_moved_and_not_moved_elsewhere(world: World):
    asset = world.add(DATA)

    def meanwhile() -> None:
        assert world.read(asset) == DATA
        assert world.plant.assets.show(world.admin, asset).partly_in == ANNEX.id
        assert world.plant.moves.move(world.admin, asset, ANNEX.id).stage is MoveStage.MOVING

    at_part(world, 2, meanwhile)
    assert world.plant.moves.move(world.admin, asset, ANNEX.id).stage is MoveStage.MOVED
    assert len(world.said("asset.move")) == 1


def test_a_move_that_is_taken_back_leaves_nothing_where_it_went(world: World):
    asset = world.add(DATA)
    at_part(world, 2, lambda: world.plant.moves.move(world.admin, asset, LOCAL_STORE))
    told = world.plant.moves.move(world.admin, asset, ANNEX.id)
    assert told.stage is MoveStage.UNDONE
    assert there(world, asset) == [LOCAL_STORE]
    (undone,) = world.said("asset.undo")
    assert undone["details"]["act"] == "move"
    assert world.said("asset.move") == []
    assert world.read(asset) == DATA


def test_a_label_that_was_tightened_undoes_a_move_under_way(world: World):
    world.plant.tenants.add("op", "wide", storage=("DE", "US"))
    asset = world.add(DATA, world.operator, tenant="wide", terms=AssetTerms(storage=("DE", "US")))
    tight = AssetTerms(storage=("DE",))
    at_part(world, 3, lambda: world.plant.assets.relabel(world.operator, asset, tight))
    told = world.plant.moves.move(world.operator, asset, ABROAD.id)
    assert told.stage is MoveStage.UNDONE
    assert "stored" in told.why
    assert there(world, asset) == [LOCAL_STORE]


def test_an_erase_ends_a_move_under_way_and_leaves_nothing_anywhere(world: World):
    asset = world.add(DATA)
    at_part(world, 2, lambda: world.plant.erasures._steps.begin(asset, "op", "asked"))
    assert world.plant.moves.move(world.admin, asset, ANNEX.id).stage is MoveStage.UNDONE
    assert there(world, asset) == [LOCAL_STORE, ANNEX.id]
    world.plant.upkeep.step()
    assert there(world, asset) == []
    (undone,) = world.said("asset.undo")
    assert undone["details"]["why"] == "the asset is erased"
    assert len(world.said("asset.erase")) == 1


def intents(world: World) -> list[Intent]:
    with world.plant.store.read() as transaction:
        return transaction.assets.intents()


@pytest.mark.parametrize("erased", [False, True])
def test_what_was_read_of_a_move_before_it_ended_leaves_told_how_it_ended(
    world: World, erased: bool
):
    asset, read = world.add(DATA), list[Intent]()
    at_part(world, 2, lambda: read.extend(intents(world)))
    moved = world.plant.moves.move(world.admin, asset, ANNEX.id)
    if erased:
        world.plant.erasures._steps.begin(asset, "op", "asked")
    (before,) = read
    world.plant.moves.settle(before)
    assert world.plant.moves.last(world.admin, asset) == moved
    assert moved.stage is MoveStage.MOVED


def test_a_move_that_begins_while_another_comes_to_its_end_is_told_by_itself(world: World):
    asset, moves = world.add(DATA), world.plant.moves
    tell, back = moves._tell, list[Move]()

    def telling(intent: Intent, **news: object) -> None:
        if news.get("stage") is MoveStage.MOVED and not back:
            back.append(Move("", "", ""))
            back[:] = [moves.move(world.admin, asset, LOCAL_STORE)]
        tell(intent, **news)

    moves._tell = telling  # type: ignore[method-assign]
    moves.move(world.admin, asset, ANNEX.id)
    (told,) = back
    assert (told.stage, told.destination) == (MoveStage.MOVED, LOCAL_STORE)
    assert moves.last(world.admin, asset) == told
    assert there(world, asset) == [LOCAL_STORE]


def test_an_erase_ends_a_move_that_waits(world: World, monkeypatch):
    asset = world.add(DATA)

    def away(*_: object) -> None:
        raise BlobsAway("annex: unplugged")

    with monkeypatch.context() as patch:
        patch.setattr(world.plant.stores, "copy", away)
        world.plant.moves.move(world.admin, asset, ANNEX.id)
    world.plant.erasures._steps.begin(asset, "op", "asked")
    told = world.plant.moves.last(world.admin, asset)
    assert (told.stage, told.why) == (MoveStage.UNDONE, "the asset is erased")


@pytest.mark.parametrize("cut", ["copy", "clear"])
def test_a_move_whose_store_is_away_waits_and_is_gone_on_with(world: World, monkeypatch, cut: str):
    asset = world.add(DATA)

    def away(*_: object) -> None:
        raise BlobsAway("annex: unplugged")

    with monkeypatch.context() as patch:
        patch.setattr(world.plant.stores, cut, away)
        told = world.plant.moves.move(world.admin, asset, ANNEX.id)
        assert (told.stage, told.why) == (
            MoveStage.MOVING,
            "the blob store cannot be used: annex: unplugged",
        )
        assert world.read(asset) == DATA
        if cut == "clear":  # too late to be taken back
            with pytest.raises(Conflict, match="being moved"):
                world.plant.moves.move(world.admin, asset, SITE.id)
    world = world.again()
    world.plant.upkeep.step()
    assert there(world, asset) == [ANNEX.id]
    assert world.read(asset) == DATA
    assert len(world.said("asset.move")) == 1
    world.plant.store.close()


def test_what_was_damaged_is_not_moved(world: World):
    asset = world.add(DATA)
    world.plant.blobs.put(f"parts/{asset}/00000003", b"\1" + b"x" * (STEP + 28))
    told = world.plant.moves.move(world.admin, asset, ANNEX.id)
    assert told.stage is MoveStage.UNDONE
    assert "part 3" in told.why
    assert there(world, asset) == [LOCAL_STORE]


class Erring:
    """A store that changes a byte of each part, at its end its tag stays, as it is put or shown,
    until it is right again."""

    def __init__(self, blobs: Blobs, at: str) -> None:
        self._blobs = blobs
        self._at = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    def put(self, name: str, data: bytes | bytearray | memoryview) -> None:
        self._blobs.put(name, _changed(data) if self._at == "put" else data)

    def get(self, name: str) -> memoryview | None:
        found = self._blobs.get(name)
        wrong = found is not None and self._at == "get"
        return memoryview(_changed(found)) if wrong else found

    def may_err(self, name: str) -> bool:
        return True

    def is_right_again(self) -> None:
        self._at = ""


class Forgetting(Erring):
    """A store that lists nothing of what lies there."""

    def names(self, under: str = "") -> list[str]:
        return [name for name in self._blobs.names(under) if not name.startswith("parts/")]


@pytest.mark.parametrize("way", ["moved", "taken back", "erased", "given up", "repaired"])
def test_what_a_store_does_not_list_goes_too(world: World, way: str):
    asset = world.add(DATA) if way != "given up" else world.begin(DATA)
    stores, where = world.plant.stores, ANNEX.id if way in {"taken back", "repaired"} else SITE.id
    stores._opened[where] = forgetting = Forgetting(stores._open(where), "")  # type: ignore[assignment]
    if way == "moved":
        world.plant.moves.move(world.admin, asset, ANNEX.id)
    elif way == "taken back":
        at_part(world, 2, lambda: world.plant.moves.move(world.admin, asset, LOCAL_STORE))
        world.plant.moves.move(world.admin, asset, ANNEX.id)
    elif way == "erased":
        world.plant.erasures.erase(world.operator, asset)
    elif way == "given up":
        world.put(asset, DATA[: 2 * STEP])
        world.plant.uploads.give_up(world.member, asset)
    else:
        for name in world.plant.blobs.names(f"parts/{asset}/"):
            forgetting.put(name, b"left by somebody")
        world.plant.vault_room._cleared(where, row(world, asset))
    assert list(forgetting._blobs.names("parts/")) == []


def _changed(data: bytes | bytearray | memoryview | None) -> bytearray:
    changed = bytearray(data or b"")
    changed[20] ^= 1
    return changed


@pytest.mark.parametrize(("where", "at"), [(ANNEX.id, "put"), (SITE.id, "get")])
def test_a_store_that_errs_for_a_while_costs_a_move_nothing(world: World, where: str, at: str):
    asset, stores = world.add(DATA), world.plant.stores
    erring: Any = Erring(stores._open(where), at)
    stores._opened[where] = erring
    told = world.plant.moves.move(world.admin, asset, ANNEX.id)
    assert (told.stage, told.why != "") == (MoveStage.MOVING, True)
    erring.is_right_again()
    world.plant.moves.settle(intents(world)[0])
    assert world.plant.moves.last(world.admin, asset).stage is MoveStage.MOVED
    assert there(world, asset) == [ANNEX.id]
    assert world.read(asset) == DATA


@pytest.mark.parametrize("key_gone", [False, True])
def test_what_does_not_open_is_not_moved_whatever_its_tag(world: World, key_gone: bool):
    asset = world.add(DATA)
    name = f"parts/{asset}/00000003"
    if key_gone:
        world.plant.vault_keys.destroy(KeyName("acme", asset))
    else:
        world.plant.blobs.put(name, _changed(world.plant.blobs.get(name)))
    told = world.plant.moves.move(world.admin, asset, ANNEX.id)
    assert told.stage is MoveStage.UNDONE
    assert ("key" if key_gone else "part 3") in told.why
    assert there(world, asset) == [LOCAL_STORE]


def test_what_lies_astray_is_found_and_removed(world: World):
    asset = world.add(DATA)
    world.plant.stores._opened[SITE.id] = world.plant.blobs
    stray(world, asset)
    (found,) = world.plant.vault_room.check(repair=True)
    assert (found.wrong, found.asset, found.repaired) == ("orphan", asset, True)
    assert there(world, asset) == [LOCAL_STORE]
    assert list(world.plant.vault_room.check(repair=False)) == []


def stray(world: World, asset: str) -> None:
    """Something of it lies in the annex, which the books say nothing of."""
    world.plant.stores._open(ANNEX.id).put(f"parts/{asset}/00000000", b"left by somebody")


def test_no_repair_takes_the_only_copy_where_the_books_are_older_than_it(world: World):
    asset = world.add(DATA)
    before = row(world, asset)
    world.plant.moves.move(world.admin, asset, ANNEX.id)
    with world.plant.store.write() as transaction:
        transaction.assets.put_asset(before)
    astray, *missing = world.plant.vault_room.check(repair=True)
    assert (astray.wrong, astray.repaired) == (Wrong.ORPHAN, False)
    assert {one.wrong for one in missing} == {Wrong.MISSING}
    annex = world.plant.stores._open(ANNEX.id)
    for name in annex.names(f"parts/{asset}/"):
        world.plant.blobs.put(name, annex.get(name) or b"")
    (astray,) = world.plant.vault_room.check(repair=True)
    assert (astray.wrong, astray.repaired) == (Wrong.ORPHAN, True)
    assert there(world, asset) == [LOCAL_STORE]
    assert world.read(asset) == DATA


def test_no_repair_takes_what_a_move_that_begins_just_then_brings(world: World, monkeypatch):
    asset = world.add(DATA)
    stray(world, asset)
    clear = world.plant.stores.clear

    def clearing(*which: Any) -> None:
        monkeypatch.setattr(world.plant.stores, "clear", clear)
        world.plant.moves.move(world.admin, asset, ANNEX.id)
        clear(*which)

    monkeypatch.setattr(world.plant.stores, "clear", clearing)
    list(world.plant.vault_room.check(repair=True))
    world.plant.upkeep.step()
    assert world.plant.moves.last(world.admin, asset).stage is MoveStage.MOVED
    assert world.read(asset) == DATA


def test_no_repair_takes_what_a_move_brought_while_it_was_looked_at(world: World, monkeypatch):
    asset = world.add(DATA)
    stray(world, asset)
    holds = world.plant.stores.holds
    asked = list[str]()

    def holding(store: str) -> list[str]:
        asked.append(store)
        found = list(holds(store))
        if asked.count(ANNEX.id) > 1:
            monkeypatch.setattr(world.plant.stores, "holds", holds)
            world.plant.moves.move(world.admin, asset, ANNEX.id)
        return found

    monkeypatch.setattr(world.plant.stores, "holds", holding)
    assert list(world.plant.vault_room.check(repair=True)) == []
    assert there(world, asset) == [ANNEX.id]
    assert world.read(asset) == DATA


def test_no_repair_takes_what_an_upload_under_way_may_have_become(world: World):
    asset = world.begin(DATA)
    stray(world, asset)
    (found,) = world.plant.vault_room.check(repair=True)
    assert (found.wrong, found.repaired) == (Wrong.ORPHAN, False)
    assert there(world, asset) == [ANNEX.id]


def test_a_store_that_is_not_named_any_more_is_away_by_its_name(world: World):
    asset = world.add(DATA)
    world.plant.moves.move(world.admin, asset, ANNEX.id)
    placed = dict(world.plant.stores._stores)
    for left in ((SITE.id, ABROAD.id), (SITE.id,)):
        world.plant.stores._stores = {name: placed[name] for name in left}
        world.plant.stores._opened = {}
        with pytest.raises(BlobsAway, match="annex"):
            world.read(asset)


@pytest.mark.parametrize("left", [(SITE.id, ABROAD.id), (SITE.id,)])
def test_no_erase_is_certified_while_the_store_it_lies_in_is_not_named(world: World, left: Any):
    asset = world.add(DATA)
    world.plant.moves.move(world.admin, asset, ANNEX.id)
    placed = world.plant.stores._stores
    world.plant.stores._stores = {name: placed[name] for name in left}
    world.plant.stores._opened = {}
    with pytest.raises(BlobsAway, match="annex"):
        world.plant.erasures.erase(world.operator, asset)
    assert world.said("asset.erase") == []
    world.plant.stores._stores = placed
    world.plant.upkeep.step()
    assert len(world.said("asset.erase")) == 1
    assert there(world, asset) == []
