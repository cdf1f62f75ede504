"""Assets: whole or not there, versioned, derived, seen by whom they may be, erased for good."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from inland.domain.assets import AssetKind, AssetState
from inland.domain.errors import BadInput, Conflict, Denied, NotFound
from inland.domain.labels import Classification, Purpose
from inland.domain.limits import Limits
from inland.domain.places import Place
from inland.domain.plant import Key
from inland.plant.asset_room import asset_room
from inland.plant.asset_terms import AssetTerms
from inland.plant.assets import Doing
from inland.plant.uploads import NewAsset
from inland.ports.keys import KeyGone
from inland.ports.vault import PartName
from tests.unit.assets.world import CANARY, STEP, World
from tests.unit.plant.parts import SITE

DATA = bytes(range(256)) + CANARY


def test_what_was_added_reads_back_and_has_a_record_of_each_act(world: World):
    asset = world.add(DATA)
    found = world.plant.assets.show(world.member, asset)
    assert (found.name, found.version, found.bytes, found.state) == (
        "corpus",
        1,
        len(DATA),
        AssetState.LIVE,
    )
    assert world.read(asset) == DATA
    (intended, exporting) = world.said("asset.intend")
    (added,), (exported,) = world.said("asset.add"), world.said("asset.export")
    assert added["details"]["intent"] == intended["id"]
    assert exported["details"]["intent"] == exporting["id"]
    assert exporting["details"]["decided_by"] == ["asset.export"]
    assert "corpus" not in str([intended, exporting, added, exported])


def test_an_empty_file_is_an_asset(world: World):
    asset = world.add(b"")
    assert world.read(asset) == b""
    world.plant.erasures.erase(world.admin, asset)


def test_a_cut_upload_shows_to_nobody_and_goes_on_where_it_was_cut(world: World):
    asset = world.begin(DATA, resume="file-1")
    world.plant.uploads.put(world.member, asset, 1, DATA[STEP : 2 * STEP])
    for who in (world.member, world.admin, world.operator, world.other):
        assert world.plant.assets.all(who) == []
        with pytest.raises(NotFound):
            world.plant.assets.show(who, asset)
        with pytest.raises(NotFound):
            world.plant.exports.begin(who, asset)
    with pytest.raises(Conflict, match="missing"):
        world.plant.uploads.finish(world.member, asset)
    world = world.again()
    assert world.begin(DATA, resume="file-1") == asset
    assert world.plant.uploads.received(world.member, asset).received == (1,)
    assert world.begin(DATA, resume="file-2") != asset
    assert world.begin(DATA, resume="file-1", name="another") != asset
    world.put(asset, DATA)
    world.plant.uploads.finish(world.member, asset)
    assert world.read(asset) == DATA
    assert world.plant.uploads.finish(world.member, asset).version == 1, "said again, done once"
    assert len(world.said("asset.add")) == 1
    world.plant.store.close()


def test_an_upload_nobody_goes_on_with_is_removed_with_its_key(world: World):
    asset = world.begin(DATA)
    world.plant.uploads.put(world.member, asset, 0, DATA[:STEP])
    world.plant.clock.sleep(world.plant.limits.upload_s)
    world.plant.upkeep.step()
    assert list(world.plant.vault.assets()) == [("acme", asset)]
    world.plant.clock.sleep(60)
    world.plant.upkeep.step()
    assert list(world.plant.vault.assets()) == []
    (undone,) = world.said("asset.undo")
    assert undone["details"]["act"] == "store"
    with pytest.raises(NotFound):
        world.plant.uploads.received(world.member, asset)


@pytest.mark.parametrize("wrong", [b"", b"short", b"x" * (STEP + 1)])
def test_a_part_of_another_length_is_refused(world: World, wrong: bytes):
    asset = world.begin(DATA)
    with pytest.raises(BadInput, match=r"part \d of"):
        world.plant.uploads.put(world.member, asset, 0, wrong)
    assert world.plant.uploads.received(world.member, asset).received == ()
    with pytest.raises(BadInput):
        world.plant.uploads.put(world.member, asset, 99, DATA[:STEP])


def test_parts_in_a_row_are_taken_and_read_together(world: World):
    asset, parts = world.begin(DATA), len(DATA) // STEP + 1
    uploads, exports = world.plant.uploads, world.plant.exports
    uploads.put(world.member, asset, 2, b"x" * STEP * 2)
    uploads.put(world.member, asset, 3, DATA[3 * STEP :])
    uploads.put(world.member, asset, 0, DATA[: 3 * STEP])
    assert uploads.received(world.member, asset).received == tuple(range(parts))
    added = uploads.finish(world.member, asset)
    assert added.digest == world.plant.assets.show(world.admin, world.add(DATA)).digest
    export = exports.begin(world.member, asset).id
    read = exports.parts(world.member, asset, export, range(1, parts))
    assert read.bytes == len(DATA) - STEP
    assert b"".join(read.each) == DATA[STEP:]
    with pytest.raises(BadInput):
        exports.parts(world.member, asset, export, range(parts + 1))
    with pytest.raises(Conflict, match="1 parts were not read"):
        exports.finish(world.member, asset, export)


def test_one_name_has_versions_and_equal_content_one_digest_inside_a_tenant(world: World):
    first, second = world.add(DATA), world.add(DATA)
    other = world.add(DATA, world.other, tenant="demo")
    named = world.add(DATA, name="another")
    suite = world.add(DATA, kind=AssetKind.SUITE)
    shown = [world.plant.assets.show(world.operator, one) for one in (first, second, named, suite)]
    assert [one.version for one in shown] == [1, 2, 1, 1]
    assert len({one.digest for one in shown}) == 1
    assert world.plant.assets.show(world.other, other).digest != shown[0].digest
    changed = world.add(DATA[:-1] + b"!", name="changed")
    assert world.plant.assets.show(world.admin, changed).digest != shown[0].digest


def test_nobody_else_learns_of_an_asset_until_it_is_shared(world: World):
    asset, key = world.add(), world.other
    plant = world.plant
    acts = [
        lambda: plant.assets.show(key, asset),
        lambda: plant.assets.share(key, asset, ["demo"]),
        lambda: plant.assets.relabel(key, asset, AssetTerms(purposes=())),
        lambda: plant.exports.begin(key, asset),
        lambda: plant.erasures.erase(key, asset),
        lambda: plant.uploads.finish(key, asset),
        lambda: world.begin(b"", key, parents=(asset,)),
    ]
    for act in acts:
        with pytest.raises(NotFound, match=asset):
            act()
    assert plant.assets.all(key) == []
    plant.assets.share(world.admin, asset, ["demo"])
    assert [one.id for one in plant.assets.all(key)] == [asset]
    assert plant.assets.show(key, asset).name == "corpus"
    assert world.read(asset, key) == CANARY * 7
    for act in (acts[1], acts[2], acts[4]):
        with pytest.raises(NotFound, match=asset):
            act()
    plant.assets.share(world.admin, asset, [], ["demo"])
    with pytest.raises(NotFound, match=asset):
        plant.assets.show(key, asset)
    assert len(world.said("asset.share")) == 2


def test_a_derived_asset_has_the_label_its_parents_allow_and_no_more(world: World):
    serve, train = Purpose.SERVE, Purpose.TRAIN
    one = world.add(
        terms=AssetTerms(derived_purposes=(serve, train), classification=Classification.SECRET)
    )
    two = world.add(terms=AssetTerms(derived_purposes=(train,), retention_days=7))
    made = world.add(name="made", parents=(one, two), run="run-1")
    label = world.plant.assets.show(world.admin, made).label
    assert label.purposes == (train,)
    assert label.classification is Classification.SECRET
    assert label.retention_days == 7
    with pytest.raises(BadInput, match="parents allow"):
        world.begin(b"", parents=(one,), terms=AssetTerms(purposes=(Purpose.EXPORT,)))
    suite = world.add(kind=AssetKind.SUITE)
    with pytest.raises(BadInput, match="judges"):
        world.begin(b"", parents=(suite,))
    shown = world.plant.assets.show(world.admin, made)
    assert (shown.parents, shown.run) == ((one, two), "run-1")


def test_loosening_a_label_takes_an_admin_of_its_owner_and_leaves_a_record(world: World):
    asset = world.add(terms=AssetTerms(purposes=(Purpose.TRAIN,)))
    tight, loose = AssetTerms(purposes=()), AssetTerms(purposes=(Purpose.EXPORT,))
    world.plant.assets.relabel(world.member, asset, tight)
    for who in (world.member, world.operator):
        with pytest.raises(Denied, match="loosen"):
            world.plant.assets.relabel(who, asset, loose)
    world.plant.assets.relabel(world.admin, asset, loose)
    first, second = world.said("asset.label")
    assert first["details"]["loosened"] == {}
    assert list(second["details"]["loosened"]) == ["purposes"]
    assert second["details"]["role"] == "tenant-admin"


def test_what_is_made_of_an_asset_is_never_labelled_beyond_what_that_allows(world: World):
    """Not by its owner's admin either: the parent may be another tenant's."""
    held = AssetTerms(derived_purposes=(Purpose.TRAIN, Purpose.SERVE))
    theirs = world.add(who=world.other, terms=held)
    world.plant.assets.share(world.other, theirs, ["acme"])
    made = world.add(parents=(theirs, world.add()))
    for wider in (
        AssetTerms(purposes=(Purpose.TRAIN, Purpose.EXPORT)),
        AssetTerms(jurisdictions=("DE", "FR")),
        AssetTerms(derived_purposes=tuple(Purpose)),
    ):
        with pytest.raises(BadInput, match="its parents allow"):
            world.plant.assets.relabel(world.admin, made, wider)
    world.plant.assets.relabel(world.admin, made, AssetTerms(purposes=()))
    again = world.plant.assets.relabel(world.admin, made, AssetTerms(purposes=(Purpose.TRAIN,)))
    assert again.label.purposes == (Purpose.TRAIN,)
    loose = AssetTerms(derived_purposes=tuple(Purpose))
    world.plant.assets.relabel(world.other, theirs, loose)
    world.plant.assets.relabel(world.admin, made, AssetTerms(purposes=(Purpose.EXPORT,)))


def test_an_export_is_a_decision_with_its_destination(world: World):
    asset = world.add()
    with pytest.raises(Denied, match="export"):
        world.plant.exports.begin(world.member, asset, Place("elsewhere", "US", "US"))
    kept = world.add(terms=AssetTerms(purposes=(Purpose.TRAIN,)))
    with pytest.raises(Denied, match="export"):
        world.plant.exports.begin(world.admin, kept)
    assert len(world.said("asset.intend")) == 2, "nothing was intended that was not allowed"


def test_an_export_ends_with_the_process_and_is_booked_as_not_done(world: World):
    asset = world.add()
    export = world.plant.exports.begin(world.member, asset)
    world.plant.exports.part(world.member, asset, export.id, 0)
    with pytest.raises(Conflict, match="not read"):
        world.plant.exports.finish(world.member, asset, export.id)
    with pytest.raises(NotFound):
        world.plant.exports.part(world.admin, asset, export.id, 0)
    world.plant.upkeep.step()
    assert world.said("asset.undo") == []
    world = world.again()
    world.plant.upkeep.step()
    (undone,) = world.said("asset.undo")
    assert undone["details"]["intent"] == export.id
    with pytest.raises(NotFound):
        world.plant.exports.part(world.member, asset, export.id, 0)
    world.plant.store.close()


def test_a_label_that_was_tightened_ends_an_export_under_way(world: World):
    asset = world.add()
    export = world.plant.exports.begin(world.member, asset)
    world.plant.assets.relabel(world.admin, asset, AssetTerms(purposes=()))
    with pytest.raises(Denied):
        world.plant.exports.part(world.member, asset, export.id, 0)


def test_erasing_reaches_what_was_made_of_it_and_certifies_it(world: World):
    asset = world.add()
    child = world.add(name="child", parents=(asset,))
    grandchild = world.add(name="adapter", kind=AssetKind.ADAPTER, parents=(child,))
    beside = world.add(name="beside")
    world.plant.assets.share(world.admin, asset, ["demo"])
    theirs = world.add(b"mine", world.other, parents=(asset,))
    world.begin(b"never", name="under way", parents=(child,))
    erased = world.plant.erasures.erase(world.admin, asset)
    assert {asset, child, grandchild} < set(erased.erased)
    assert (erased.kept, len(erased.erased)) == (1, 4)
    assert "theirs" in erased.why
    (record,) = world.said("asset.erase")
    assert record["id"] == erased.record
    assert theirs not in str(record)
    for gone in (asset, child, grandchild):
        with pytest.raises(KeyGone):
            world.plant.vault.get(PartName("acme", gone, 0))
        assert list(world.plant.vault.parts(gone)) == []
        shown = world.plant.assets.show(world.admin, gone)
        assert (shown.name, shown.title, shown.digest) == (None, None, "")
        with pytest.raises(Conflict, match="gone"):
            world.plant.exports.begin(world.admin, gone)
    assert world.read(beside) == CANARY * 7
    assert world.read(theirs, world.other) == b"mine"
    assert world.plant.erasures.erase(world.admin, asset) == erased, "certified again"
    assert [one.id for one in world.plant.assets.all(world.admin)] == [beside]
    assert len(world.plant.assets.all(world.admin, erased=True)) == 5
    again = world.plant.assets.show(world.member, world.add())
    assert again.version == 2, "no version is given twice"


def test_an_erase_that_was_cut_is_gone_on_with(world: World, monkeypatch):
    asset, child = world.add(), None
    child = world.add(name="child", parents=(asset,))

    def broken(*_: object) -> None:
        raise OSError("cut")

    monkeypatch.setattr(world.plant.vault, "erase", broken)
    with pytest.raises(OSError, match="cut"):
        world.plant.erasures.erase(world.admin, asset)
    with pytest.raises(Conflict):
        world.plant.exports.begin(world.member, child)
    assert world.said("asset.erase") == []
    world = world.again()
    world.plant.upkeep.step()
    assert len(world.said("asset.erase")) == 1
    assert list(world.plant.vault.assets()) == []
    world.plant.store.close()


def test_a_member_erases_nothing(world: World):
    asset = world.add()
    with pytest.raises(Denied, match="erase"):
        world.plant.erasures.erase(world.member, asset)
    assert world.read(asset) == CANARY * 7


def test_what_its_retention_is_over_for_is_erased_and_says_why(world: World):
    brief = world.add(terms=AssetTerms(retention_days=1))
    world.plant.clock.sleep(1)
    derived = world.add(name="made", parents=(brief,))
    kept = world.add(name="kept")
    world.plant.clock.sleep(86_398)
    world.plant.upkeep.step()
    assert len(world.plant.assets.all(world.admin)) == 3
    world.plant.clock.sleep(10)
    world.plant.upkeep.step()
    assert [one.id for one in world.plant.assets.all(world.admin)] == [kept]
    (record,) = world.said("asset.erase")
    assert record["who"] == "retention"
    assert set(record["details"]["erased"]) == {brief, derived}
    assert "retention" in record["details"]["why"]


def test_a_record_a_database_and_a_home_name_nothing_in_clear(world: World):
    secret = "quarterly-harbour-secret"
    world.add(name=secret, title=secret + " title")
    assert secret not in str(world.plant.records())
    for file in world.plant.home.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert secret.encode() not in data, file
            assert CANARY not in data, file


def test_assets_and_exports_are_bounded_for_each_tenant_by_itself(world: World):
    room = asset_room(
        world.plant.changes,
        world.plant.vault,
        world.plant.stores,
        SITE,
        Limits(assets_per_tenant=2, exports_per_tenant=2),
        lambda run: run(),
        world.plant.workers,
    )
    uploads, exports = room.uploads, room.exports

    def add(who: Key, tenant: str) -> str:
        asset = uploads.begin(who, NewAsset(tenant, AssetKind.DATASET, "n", 0)).id
        return uploads.finish(who, asset).id

    first, _ = add(world.member, "acme"), add(world.admin, "acme")
    with pytest.raises(Conflict, match="assets_per_tenant"):
        add(world.operator, "acme")
    add(world.other, "demo")
    begun = [exports.begin(who, first).id for who in (world.member, world.admin)]
    with pytest.raises(Conflict, match="exports_per_tenant"):
        exports.begin(world.member, first)
    exports.begin(world.operator, first)
    exports.give_up(world.member, first, begun[0])
    (undone,) = world.said("asset.undo")
    assert undone["details"]["intent"] == begun[0]
    exports.begin(world.member, first)
    room.erasures.erase(world.admin, first)
    beside = add(world.member, "acme")
    exports.begin(world.member, beside)
    exports.begin(world.member, beside)


def test_an_export_that_is_just_begun_is_not_taken_for_one_that_was_left(world: World, monkeypatch):
    """Not in the moment between its intent being there to be read and its beginner going on."""
    asset = world.add()
    act = world.plant.changes.act

    @contextmanager
    def looked_after(who: str) -> Iterator[Doing]:
        with act(who) as doing:
            yield doing
        monkeypatch.setattr(world.plant.changes, "act", act)
        world.plant.upkeep.step()

    monkeypatch.setattr(world.plant.changes, "act", looked_after)
    export = world.plant.exports.begin(world.member, asset)
    assert world.plant.exports.part(world.member, asset, export.id, 0)
    assert world.said("asset.undo") == []
