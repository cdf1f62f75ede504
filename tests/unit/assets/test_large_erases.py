"""Erases of any size: in bounded steps, each gone on with, none of them in another's way."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from inland.domain.assets import AssetKind, AssetState
from inland.domain.errors import Conflict, InlandError
from inland.plant import erasure_steps, erasures
from inland.plant.asset_terms import AssetTerms
from inland.ports.keys import KeyGone
from inland.ports.vault import NAME, TextName
from tests.unit.assets.world import World, small_parts


@pytest.fixture
def world(tmp_path, monkeypatch) -> Iterator[World]:
    small_parts(monkeypatch)
    made = World(tmp_path)
    yield made
    made.plant.store.close()


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """So small that a dozen assets take many steps of every sort."""
    for name, value in (("AT_ONCE", 3), ("GENERATIONS", 2), ("CHILDREN_AT_ONCE", 2)):
        monkeypatch.setattr(erasure_steps, name, value)
    monkeypatch.setattr(erasure_steps, "DESTROYED_AT_ONCE", 2)
    monkeypatch.setattr(erasure_steps, "PARTS_AT_ONCE", 2)


def _family(world: World, children: int = 5) -> list[str]:
    """An asset, what was made of it and of that; one of these by two ways."""
    root = world.add(name="root")
    made = [world.add(name=f"child-{n}", parents=(root,)) for n in range(children)]
    both = world.add(name="both", parents=(made[0], made[1]))
    return [root, *made, both, world.add(name="last", parents=(both,))]


def _whole(world: World) -> list[dict]:
    return [one for one in world.said("asset.erase") if one["details"]["whole"]]


def test_an_erase_of_many_steps_is_certified_as_one(world: World):
    family, beside = _family(world), world.add(name="beside")
    done = world.plant.erasures.erase(world.admin, family[0])
    assert (set(done.erased), done.count, done.kinds) == (set(family), 8, {"dataset": 8})
    (last,) = _whole(world)
    records = world.said("asset.erase")
    assert last["id"] == done.record == records[-1]["id"]
    assert last["details"]["parts"] == [one["id"] for one in records[:-1]] != []
    told = [asset for one in records for asset in one["details"]["erased"]]
    assert sorted(told) == sorted(family), "each stands in one record"
    assert last["details"]["bytes"] == sum(len(world.read(beside)) for _ in family)
    intended = [asset for one in world.said("asset.intend") for asset in _meant(one)]
    assert sorted(intended) == sorted(family), "and was meant before"
    assert world.plant.erasures.erase(world.admin, family[0]) == done
    child = world.plant.erasures.erase(world.admin, family[-1])
    assert family[-1] in child.erased
    assert list(world.plant.vault.assets()) == [("acme", beside)]


def _meant(record: dict) -> list[str]:
    return record["details"]["erased"] if record["details"]["act"] == "erase" else []


def test_whatever_step_it_is_cut_at_it_is_closed_to_all_and_gone_on_with(world, monkeypatch):
    """One step a life: nothing of it is remembered but what is in the database."""
    family = _family(world)
    monkeypatch.setattr(erasures, "ANSWER_S", -1.0)
    begun = world.plant.erasures.erase(world.admin, family[0])
    assert begun.record is None
    steps = 0
    while not _whole(world):
        with pytest.raises(Conflict, match=r"erasing|erased"):
            world.plant.exports.begin(world.admin, family[0])
        with pytest.raises(Conflict, match=r"erasing|erased"):
            world.begin(b"", parents=(family[0],))
        steps += 1
        world = world.again()
        world.plant.erasures.erase(world.admin, family[0])
    assert steps > 8
    assert list(world.plant.vault.assets()) == []
    assert {one.state for one in world.plant.assets.all(world.admin, erased=True)} == {
        AssetState.ERASED
    }
    with world.plant.store.read() as transaction:
        assert transaction.assets.intents() == []
        assert transaction.reach.roots(family[0]) == []
    world.plant.store.close()


def test_a_step_that_fails_is_done_again(world: World, monkeypatch):
    family, erase, tries = _family(world), world.plant.vault.erase, []

    def sometimes(tenant: str, asset: str, *numbers: list[int]) -> None:
        tries.append(asset)
        erase(tenant, asset, *numbers)
        if len(tries) % 3 == 1:
            raise OSError("cut")

    monkeypatch.setattr(world.plant.vault, "erase", sometimes)
    for _ in range(40):
        with suppress(OSError):
            world.plant.erasures.erase(world.admin, family[0])
    assert world.plant.erasures.erase(world.admin, family[0]).count == len(family) < len(tries)


def test_what_is_made_of_something_while_it_goes_goes_too_or_is_refused(world, monkeypatch):
    """Asked just when the label of its child-to-be was derived: before it is on the books."""
    root = world.add(name="root")
    demand, refused = world.plant.uploads._rulings.demand, list[str]()

    def late(who, action, row, *rest):
        decided = demand(who, action, row, *rest)
        if row.parents and row.state is AssetState.UPLOADING and not refused:
            refused.append(row.id)
            world.plant.erasures.erase(world.admin, root)
        return decided

    monkeypatch.setattr(world.plant.uploads._rulings, "demand", late)
    with pytest.raises(Conflict, match="erased"):
        world.begin(b"x", parents=(root,))
    assert refused
    assert world.plant.assets.all(world.admin) == []
    assert list(world.plant.vault.assets()) == []


def test_an_upload_that_nobody_went_on_with_and_whose_parent_goes_is_gone_once(world, monkeypatch):
    """Its parent is erased while it is being removed."""
    root = world.add(name="root")
    upload = world.begin(b"x", parents=(root,))
    left = next(one for one in _intents(world) if one.asset == upload)
    erase, steps_ = world.plant.vault.erase, world.plant.erasures._steps

    def late(tenant: str, asset: str, *numbers: list[int]) -> None:
        erase(tenant, asset, *numbers)
        steps_.begin(root, "somebody", "asked")

    world.plant.clock.sleep(world.plant.limits.upload_s + 60)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(world.plant.vault, "erase", late)
        world.plant.uploads.settle(left)
    world.plant.erasures.erase(world.admin, root)
    assert len(world.said("asset.undo")) == 1
    assert world.plant.assets.show(world.admin, upload).state is AssetState.ERASED


def _intents(world: World):
    with world.plant.store.read() as transaction:
        return transaction.assets.intents()


def test_a_large_erase_stops_no_other(world: World, monkeypatch):
    root = _family(world)[0]
    small = world.add(name="small", terms=AssetTerms(retention_days=1))
    with monkeypatch.context() as cut:
        cut.setattr(erasures, "ANSWER_S", -1.0)
        world.plant.erasures.erase(world.admin, root)
    world.plant.clock.sleep(86_500)
    ticks = iter(range(10**6))
    monkeypatch.setattr(world.plant.clock, "monotonic", lambda: 10_000.0 + next(ticks) / 10)
    ended: list[str] = []
    while len(ended) < 2:
        world.plant.upkeep.step()
        ended = [one["subject"] for one in _whole(world)]
    assert ended == [small, root], "the small one did not wait for the large one"
    assert world.plant.assets.all(world.admin) == []


def test_a_child_is_kept_no_longer_for_its_parent_being_gone(world: World):
    """The parent is another tenant's, so that the child stays."""
    theirs = world.add(who=world.other, terms=AssetTerms(retention_days=2))
    world.plant.assets.share(world.other, theirs, ["acme"])
    made = world.add(parents=(theirs,))
    before = world.plant.assets.show(world.admin, made).ends_unix_s
    world.plant.clock.sleep(3600)
    later = world.add(name="later", parents=(theirs,))
    world.plant.erasures.erase(world.other, theirs)
    for asset in (made, later):
        tight = AssetTerms(purposes=())
        told = world.plant.assets.relabel(world.admin, asset, tight)
        assert told.ends_unix_s == before
        world.plant.assets.relabel(world.admin, asset, AssetTerms(retention_days=1))
        again = world.plant.assets.relabel(world.admin, asset, AssetTerms(retention_days=2))
        assert again.ends_unix_s == before, "as short as its parent's, and no shorter for ever"
    with pytest.raises(InlandError):
        world.plant.assets.relabel(world.admin, made, AssetTerms(for_ever=True))


#: A suite is no parent of anything, and what people say is given by receipt, never added.
_MADE = [one for one in AssetKind if one not in {AssetKind.SUITE, AssetKind.FEEDBACK}]


@pytest.mark.parametrize("kind", _MADE)
def test_whatever_kind_was_made_of_it_goes_and_is_said(world: World, kind: AssetKind):
    root = world.add(name="root")
    made = world.add(name="made", kind=kind, parents=(root,))
    done = world.plant.erasures.erase(world.admin, root)
    assert set(done.erased) == {root, made}
    retired = [asset for one in world.said("asset.erase") for asset in one["details"]["retired"]]
    assert retired == ([made] if kind in {AssetKind.MODEL, AssetKind.ADAPTER} else [])


def test_a_name_goes_with_its_asset(world: World):
    asset, beside = world.add(name="a-name", title="A title"), world.add(name="beside")
    with world.plant.store.read() as transaction:
        rows = {row.id: row for row in transaction.assets.assets(None)}
    world.plant.erasures.erase(world.admin, asset)
    for field, sealed in (("name", rows[asset].name), ("title", rows[asset].title)):
        with pytest.raises(KeyGone):
            world.plant.vault.unseal(TextName("acme", asset, field), sealed)
    stays = world.plant.vault.unseal(TextName("acme", beside, NAME), rows[beside].name)
    assert stays == "beside"


def test_an_upload_cut_before_it_was_called_anything_is_called_when_it_goes_on(world, monkeypatch):
    def away(*_):
        raise OSError("cut")

    with monkeypatch.context() as cut:
        cut.setattr(world.plant.vault, "seal", away)
        with pytest.raises(OSError, match="cut"):
            world.begin(b"x", resume="file", title="A title")
    assert list(world.plant.vault.assets()) == [], "no key before its intent"
    world = world.again()
    asset = world.begin(b"x", resume="file", title="A title")
    world.put(asset, b"x")
    told = world.plant.uploads.finish(world.member, asset)
    assert (told.name, told.title) == ("corpus", "A title")
    world.plant.store.close()


def test_what_went_is_overwritten_once_nobody_reads_it(world: World):
    """A reader holds the database's log as it was; the next look empties it."""
    log, asset = world.plant.home / "inland.db-wal", world.add(name="a-name")
    with world.plant.store.read() as transaction:
        (row,) = transaction.assets.some([asset])
        world.plant.erasures.erase(world.admin, asset)
        assert row.name in log.read_bytes(), "it is read still"
    world.plant.upkeep.step()
    for file in world.plant.home.glob("inland.db*"):
        assert row.name not in file.read_bytes(), file


def test_what_is_removed_lies_on_no_page_that_is_free(world: World):
    """Rows enough to leave whole pages of the database free."""
    uploads = [world.begin(b"", name=f"{number}-{'n' * 180}") for number in range(24)]
    with world.plant.store.read() as transaction:
        names = [row.name for row in transaction.assets.some(uploads)]
    for upload in uploads:
        world.plant.uploads.give_up(world.member, upload)
    world.plant.upkeep.step()
    for file in world.plant.home.glob("inland.db*"):
        left = [name for name in names if name in file.read_bytes()]
        assert left == [], file
