"""Feedback rests sealed, becomes data that a label lets be trained on, and goes where its book
goes."""

from dataclasses import replace

import pytest

from inland.domain.assets import AssetKind, AssetState
from inland.domain.chat import examples
from inland.domain.errors import BadInput, Busy, Conflict, Denied, NotFound
from inland.domain.feedback import Said
from inland.domain.labels import Purpose
from inland.domain.limits import Limits
from inland.domain.thumbs import Thumb, Thumbs
from inland.plant.asset_terms import AssetTerms
from inland.plant.feedback import about
from inland.ports.keys import KeyWithdrawn
from tests.unit.assets.world import CANARY, World, small_parts

ASKED = ({"role": "user", "content": "Pump 7 leaks."},)
SECRET = CANARY.decode()
TAUGHT = Said(Thumbs.DOWN, f'{{"asset": "pump-7", "note": "{SECRET}"}}', ASKED)


@pytest.fixture
def world(tmp_path, monkeypatch):
    small_parts(monkeypatch)
    made = World(tmp_path)
    yield made
    made.plant.store.close()


def answered(number=0, tenant="acme", release="r1"):
    """The record of a request that a release answered."""
    made = {"kind": "request", "id": f"0197aaaa-bbbb-7ccc-8ddd-{number:012x}", "tenant": tenant}
    return {**made, "deployment": "smollm2", "release": {"id": release, "name": "notes"}}


def room(world):
    return world.plant.room.feedback


def give(world, number=0, said=TAUGHT, **more):
    return room(world).give(world.member, answered(number, **more), said)


def collect(world):
    return room(world).collect(world.member, "acme", "notes")


def lines(world, collected):
    return world.read(collected.dataset.id)


def test_what_is_said_is_found_by_its_receipt_and_the_last_word_counts(world):
    give(world)
    given = give(world, said=Said(Thumbs.UP))
    assert room(world).all("acme") == [given]
    assert (given.model, given.release, given.book) == ("notes", "r1", "")
    with world.plant.store.read() as transaction:
        assert transaction.feedback.thumbs("r1", 0) == Thumb(1, 1)
        assert transaction.feedback.thumbs("r2", 0) == Thumb()


def test_its_words_are_in_no_record_and_on_no_disk_as_they_are(world, tmp_path):
    given = give(world)
    collect(world)
    (said,) = world.said("feedback.give")
    assert said["details"] | {"book": ""} == {
        "tenant": "acme",
        "model": "notes",
        "release": "r1",
        "thumbs": "down",
        "book": "",
        "replaced": False,
    }
    assert SECRET not in str(list(world.plant.records()))
    kept = [one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()]
    assert not any(CANARY in one or b"Pump 7" in one for one in kept)
    assert room(world).show(world.member, "acme", given.receipt)[1]


def test_a_correction_becomes_an_example_that_training_reads(world):
    talk = (
        {"role": "system", "content": "Orders."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "What is wrong?"},
        {"role": "user", "content": "Pump 7 leaks."},
    )
    give(world, 0, replace(TAUGHT, messages=talk))
    give(world, 1, Said(Thumbs.DOWN, "nobody can learn from this"))
    give(world, 2, Said(Thumbs.UP))
    made = collect(world)
    assert (made.examples, made.made, made.dataset.version) == (1, True, 1)
    (one,) = examples("feedback", lines(world, made))
    assert [message.content for message in one.messages if message.learned] == [TAUGHT.correction]
    assert made.dataset.kind is AssetKind.DATASET
    assert made.dataset.name == "feedback-notes"
    (book,) = made.dataset.parents
    assert not any(one.waits for one in room(world).all("acme"))
    assert world.plant.assets.show(world.member, book).kind is AssetKind.FEEDBACK


def test_a_version_is_made_of_what_is_new_alone_and_has_all(world):
    give(world, 0)
    first = collect(world)
    assert collect(world) == replace(first, made=False)
    assert room(world).collect(world.member, "acme", "notes", "other").made
    give(world, 1)
    give(world, 0, replace(TAUGHT, correction="better"))
    second = collect(world)
    assert (second.dataset.version, second.examples) == (2, 2)
    assert b"better" in lines(world, second)
    room(world).remove(world.admin, "acme", answered(0)["id"])
    third = collect(world)
    assert (third.dataset.version, third.examples) == (3, 1)
    assert b"better" not in lines(world, third)


def test_what_opens_by_itself_is_trained_on_where_the_tenants_label_says_so(world):
    give(world, 0)
    first = collect(world).dataset
    assert Purpose.TRAIN not in first.label.purposes
    terms = AssetTerms(derived_purposes=tuple(Purpose))
    world.plant.assets.relabel(world.admin, first.parents[0], terms)
    second = collect(world)
    assert second.made
    assert Purpose.TRAIN in second.dataset.label.purposes
    world.plant.tenants.add("op", "mill", ["DE"], purposes=("serve", "train"))
    key, _ = world.plant.keys.add("op", "mill", world.member.role)
    room(world).give(key, answered(1, "mill"), TAUGHT)
    assert Purpose.TRAIN in room(world).collect(key, "mill", "notes").dataset.label.purposes


def test_an_erase_of_the_book_reaches_the_words_and_what_was_made_of_them(world):
    give(world)
    made = collect(world).dataset
    (book,) = made.parents
    world.plant.erasures.erase(world.admin, book)
    for _ in range(20):
        world.plant.upkeep.step()
        world.plant.clock.sleep(10)
    with world.plant.store.read() as transaction:
        assert {row.state for row in transaction.assets.some([book, made.id])} == {
            AssetState.ERASED
        }
    (left,) = room(world).all("acme")
    assert (left.thumbs, left.sealed, left.book, left.teaches) == (Thumbs.DOWN, b"", "", False)
    with pytest.raises(Conflict, match="messages"):
        collect(world)
    assert give(world, 1).book != book


def test_no_key_is_made_anew_for_a_book_that_was_erased_meanwhile(world, monkeypatch):
    open_book = room(world)._open_book

    def opened_and_erased(*asked):
        book = open_book(*asked)
        assert world.plant.erasures.erase(world.admin, book.id).record
        return book

    with monkeypatch.context() as patch:
        patch.setattr(room(world), "_open_book", opened_and_erased)
        with pytest.raises(Busy, match="being erased"):
            give(world)
    ((erased, *_),) = [one["details"]["erased"] for one in world.said("asset.erase")]
    assert not world.plant.vault.has_key("acme", erased)
    assert give(world).book != erased


def test_of_what_is_withdrawn_nothing_is_read_or_given(world):
    given = give(world)
    world.plant.vault_room.withdraw("op", "acme")
    with pytest.raises((KeyWithdrawn, Denied)):
        room(world).show(world.member, "acme", given.receipt)
    with pytest.raises((KeyWithdrawn, Denied)):
        collect(world)
    with pytest.raises((KeyWithdrawn, Denied)):
        give(world, 1)
    assert len(room(world).all("acme")) == 1


def test_its_words_are_its_tenants_own(world):
    given = give(world)
    with pytest.raises(NotFound):
        room(world).show(world.other, "demo", given.receipt)
    with pytest.raises(NotFound):
        room(world).remove(world.other, "demo", given.receipt)
    with pytest.raises(Denied):
        room(world).show(world.operator, "acme", given.receipt)


def test_only_a_request_of_ones_own_is_something_to_speak_of():
    record: dict = answered()
    assert about(record, "acme") is record
    for other in (None, {**record, "kind": "change"}, answered(tenant="demo")):
        assert about(other, "acme") is None


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (Said(Thumbs.UP, "", ASKED), "messages"),
        (Said(Thumbs.UP, " \n"), "correction"),
        (Said(Thumbs.UP, "x" * 40_000), "correction"),
        (Said(Thumbs.UP, "x", ({"role": "system", "content": "x"},)), "messages"),
        (Said(Thumbs.UP, "x", ({"role": "tool", "content": "x"},)), "messages[0].role"),
        (
            Said(Thumbs.UP, "x", (*ASKED, {"role": "assistant", "content": "x"})),
            "messages[1].role",
        ),
    ],
)
def test_what_could_not_be_learned_is_refused_when_it_is_given(world, said, field):
    with pytest.raises(BadInput) as refused:
        give(world, said=said)
    assert refused.value.field == field
    assert room(world).all() == []


def test_it_is_bounded_by_tenant_and_minute(tmp_path, monkeypatch):
    small_parts(monkeypatch)
    limits = Limits(feedback_per_tenant=2, feedback_per_minute=4)
    monkeypatch.setattr("tests.unit.plant.parts.Limits", lambda **_: limits)
    world = World(tmp_path)
    try:
        for number in (0, 1, 1):
            give(world, number, Said(Thumbs.UP))
        with pytest.raises(Conflict, match="feedback_per_tenant"):
            give(world, 2, Said(Thumbs.UP))
        with pytest.raises(Busy):
            give(world, 1, Said(Thumbs.UP))
        room(world).give(world.other, answered(3, "demo"), Said(Thumbs.UP))
        world.plant.clock.sleep(60)
        give(world, 1, Said(Thumbs.DOWN))
        assert len(room(world).all("acme")) == 2
    finally:
        world.plant.store.close()


def test_a_book_is_added_empty_and_what_rests_in_it_has_its_label(world):
    with pytest.raises(BadInput, match="empty"):
        world.add(kind=AssetKind.FEEDBACK, name="notes")
    opened = world.add(b"", kind=AssetKind.FEEDBACK, name="notes")
    assert give(world).book == opened
    assert Purpose.TRAIN in collect(world).dataset.label.purposes
