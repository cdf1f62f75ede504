"""Batches: every request asked once, its answer sealed until it is a file; cut, gone on with."""

from dataclasses import replace

import pytest

from inland.batches.asking import Asking, Line
from inland.batches.batches import NewBatch
from inland.domain.batches import BatchState
from inland.domain.errors import Conflict, Denied, NotFound
from inland.domain.plant import Role
from inland.plant.files import OUTPUT, purpose_of
from tests.unit.batches.world import CANARY, CHAT, BatchWorld, file_of, line


@pytest.fixture
def twelve(world: BatchWorld) -> str:
    """A file of twelve requests."""
    return world.add_file(file_of([line(number) for number in range(12)]))


def test_every_request_is_answered_in_order_and_on_the_books(world: BatchWorld, twelve: str):
    world.passing.statuses = {"Question 3": [429, 503], "Question 7": [400], "Question 8": [502]}
    batch = world.over(world.start(twelve))
    assert batch.state is BatchState.COMPLETED, batch.flaws
    assert (batch.total, batch.answered, batch.failed) == (12, 11, 1)
    answers = world.lines_of(batch.output)
    assert [one["custom_id"] for one in answers] == [f"request-{n}" for n in range(12) if n != 7]
    first = answers[0]["response"]
    assert (first["status_code"], first["request_id"]) == (200, "receipt-Question 0")
    assert first["body"]["choices"][0]["message"]["content"] == f"{CANARY}: Question 0"
    (refused,) = world.lines_of(batch.refused)
    assert (refused["custom_id"], refused["response"]["status_code"]) == ("request-7", 400)
    assert refused["error"] is None
    assert sorted(set(world.passing.asked)) == sorted(f"Question {n}" for n in range(12))
    assert len(world.passing.asked) == 15
    (begun,), (over,) = world.said("batch.begin"), world.said("batch.end")
    assert (begun["id"], over["details"]["state"]) == (batch.id.removeprefix("batch_"), "completed")
    assert over["details"]["output"] == batch.output


def test_what_it_makes_is_derived_from_its_input_and_allows_no_more(world, twelve):
    batch = world.over(world.start(twelve))
    with world.plant.store.read() as transaction:
        row = transaction.assets.asset(batch.output)
    assert (row.parents, row.run, row.tenant) == ((batch.input,), batch.id, "acme")
    assert purpose_of(row) == OUTPUT


def test_its_key_waits_for_everybody_else_and_ends_with_it(world, twelve):
    world.over(world.start(twelve))
    (key,) = (one for one in world.plant.keys.all("acme") if one.batch)
    assert key.role is Role.MEMBER
    assert key.expires_unix_s <= world.plant.clock.unix_us() // 1_000_000
    assert len(world.passing.keys) == 1
    world.over(world.start(twelve))
    assert [one.id for one in world.plant.keys.all("acme") if one.batch] == [key.id]


def test_what_was_answered_before_a_kill_is_not_asked_again(world, twelve):
    world.batches = world.made_batches(batch_at_once=1)
    world.passing.held = {"Question 5"}
    batch = world.start(twelve)
    world.held(batch, answered=5)
    world.passing.asked.clear()
    cut = world.batches.worker
    world.batches = world.made_batches(batch_at_once=1)  # another life of control
    cut._stopping = True
    world.passing.held = set()
    assert world.over(batch).state is BatchState.COMPLETED
    assert world.passing.asked == [f"Question {number}" for number in range(5, 12)]


@pytest.mark.parametrize("act", ["begin", "put", "finish"])
def test_files_that_were_begun_before_a_cut_are_gone_on_with(world, twelve, monkeypatch, act):
    """Cut behind each act of writing one, so behind its last, too, when it is whole."""
    uploads = world.plant.room.uploads
    real, left = getattr(uploads, act), [1]

    def cut(*words):
        done = real(*words)
        if left:
            left.pop()
            raise OSError("a disk that is full")
        return done

    batch = world.start(twelve)
    monkeypatch.setattr(type(uploads), act, lambda _, *words: cut(*words))
    world.rests(batch)
    world.plant.clock.sleep(10)
    done = world.over(batch)
    assert done.state is BatchState.COMPLETED
    outputs = [row for row in world.plant.room.files.some("acme", OUTPUT) if row.run == batch.id]
    assert [row.id for row in outputs] == [done.output]
    assert len(world.lines_of(done.output)) == 12
    assert len(world.passing.asked) == 12
    with world.plant.store.read() as transaction:
        assert transaction.assets.uploads() == []


def test_a_file_with_a_bad_line_is_refused_whole_and_each_line_named(world):
    lines = [line(0), line(1, custom_id="request-0"), line(2, url="/v1/embeddings")]
    lines += [line(3, method="GET"), {**line(4), "priority": 1}, line(5, body={"stream": True})]
    data = file_of(lines) + b'{"custom_id": 7}\nnonsense\n'
    batch = world.over(world.start(world.add_file(data)))
    assert batch.state is BatchState.FAILED
    assert [(one.line, one.code) for one in batch.flaws] == [
        (2, "duplicate_custom_id"),
        (3, "mismatched_endpoint"),
        (4, "invalid_method"),
        (5, "unknown_parameter"),
        (6, "invalid_value"),
        (7, "invalid_type"),
        (8, "invalid_json_line"),
    ]
    assert world.passing.asked == []


def test_one_with_more_requests_than_may_be_is_refused(world):
    world.batches = world.made_batches(batch_requests=2)
    batch = world.over(world.start(world.add_file(file_of([line(n) for n in range(3)]))))
    assert (batch.state, batch.flaws[0].code) == (BatchState.FAILED, "too_many_tasks")


def test_a_cancelled_batch_asks_nothing_more_and_leaves_what_was_answered(world, twelve):
    world.batches = world.made_batches(batch_at_once=1)
    world.passing.held = {"Question 2"}
    batch = world.start(twelve)
    world.held(batch, answered=2)
    told = world.batches.batches.cancel(world.member, "acme", batch.id)
    assert told.state is BatchState.CANCELLING
    world.passing.gate.set()
    done = world.over(batch)
    assert done.state is BatchState.CANCELLED
    assert len(world.lines_of(done.output)) == done.answered == 3
    assert "Question 3" not in world.passing.asked
    again = world.batches.batches.cancel(world.member, "acme", batch.id)
    assert again.state is BatchState.CANCELLED


def test_one_whose_window_is_over_says_what_was_not_asked(world, twelve):
    world.batches = world.made_batches(batch_at_once=1)
    world.passing.held = {"Question 4"}
    batch = world.start(twelve)
    world.held(batch, answered=4)
    world.plant.clock.sleep(86_400)
    world.passing.gate.set()
    done = world.over(batch)
    assert (done.state, done.answered, done.failed) == (BatchState.EXPIRED, 5, 7)
    errors = world.lines_of(done.refused)
    assert {one["error"]["code"] for one in errors} == {"batch_expired"}
    assert [one["custom_id"] for one in errors] == [f"request-{n}" for n in range(5, 12)]


def test_a_window_that_ended_before_a_kill_is_over_after_it(world, twelve, monkeypatch):
    """Cut once all that was not asked is told, before anything else."""
    world.batches = world.made_batches(batch_at_once=1)
    world.passing.held = {"Question 4"}
    batch = world.start(twelve)
    world.held(batch, answered=4)
    real, left = Asking.keep_unasked, [1]

    def cut(*words):
        real(*words)
        if left:
            left.pop()
            raise OSError("a disk that is full")

    monkeypatch.setattr(Asking, "keep_unasked", cut)
    world.plant.clock.sleep(86_400)
    world.passing.gate.set()
    world.rests(batch)
    world.batches = world.made_batches(batch_at_once=1)  # another life of control
    done = world.over(batch)
    assert (done.state, done.answered, done.failed) == (BatchState.EXPIRED, 5, 7)


def test_a_cancel_while_a_file_is_begun_stands(world, twelve):
    """What makes the file had read the batch before."""
    worker = world.batches.worker
    worker._stopping = True
    batch = world.start(twelve)
    worker._asking.keep_unasked(batch, iter([Line(1, "request-0", "{}")]), "code", "why")
    world.batches.batches.cancel(world.member, "acme", batch.id)
    made = worker._output.made(batch)
    shown = world.batches.batches.show("acme", batch.id)
    assert shown.state is BatchState.CANCELLING
    assert shown.refused == made.refused != ""


def test_nobody_acts_for_a_key_that_was_revoked(world, twelve):
    world.batches = world.made_batches(batch_at_once=1)
    world.passing.held = {"Question 3"}
    batch = world.start(twelve)
    world.held(batch, answered=3)
    world.plant.keys.revoke("op", world.member.id)
    world.passing.gate.set()
    done = world.over(batch)
    assert done.state is BatchState.FAILED
    assert "revoked" in done.flaws[0].message
    assert "Question 4" not in world.passing.asked
    assert len(world.read(done.output, world.admin).splitlines()) == 4


def _full(world: BatchWorld, **kept: int) -> None:
    """No file is begun any more, from now on; more of `kept` make it so again."""
    limits = {"uploads_per_tenant": 0} | kept
    uploads = world.plant.room.uploads
    uploads._limits = replace(uploads._limits, **limits)


@pytest.mark.parametrize("end", ["completed", "cancelled", "failed", "expired"])
def test_answers_wait_until_their_files_may_be_made(world, twelve, end):
    world.batches = world.made_batches(batch_at_once=1)
    world.passing.held = {"Question 4"}
    batch = world.start(twelve)
    world.held(batch, answered=4)
    _full(world)
    if end == "cancelled":
        world.batches.batches.cancel(world.member, "acme", batch.id)
    if end == "failed":
        world.plant.keys.revoke("op", world.member.id)
    if end == "expired":
        world.plant.clock.sleep(86_400)
    world.passing.gate.set()
    made = 12 if end == "completed" else 5
    waits = world.rests(batch)
    state = BatchState.CANCELLING if end == "cancelled" else BatchState.FINALIZING
    assert (waits.state, waits.answered) == (state, made)
    world.batches = world.made_batches(batch_at_once=1)  # another life of control
    world.rests(batch)
    _full(world, uploads_per_tenant=8)
    world.plant.clock.sleep(61)
    done = world.over(batch)
    assert (done.state.value, done.answered) == (end, made)
    assert len(world.read(done.output, world.admin).splitlines()) == made
    assert (done.failed, bool(done.refused)) == ((7, True) if end == "expired" else (0, False))
    if end == "failed":
        assert "revoked" in done.flaws[0].message


def test_answers_that_may_be_no_file_go_a_week_behind_the_window(world, twelve):
    _full(world)
    batch = world.start(twelve)
    world.rests(batch)
    world.plant.clock.sleep(8 * 86_400 - 60)
    assert world.rests(batch).answered == 12
    world.plant.clock.sleep(61)
    done = world.over(batch)
    assert (done.state, done.answered, done.output) == (BatchState.FAILED, 12, "")
    assert "uploads_per_tenant" in done.flaws[0].message


@pytest.fixture
def half(world, twelve):
    """A batch that waits: one of its files is whole, and the other may not be begun."""
    world.passing.statuses = {"Question 7": [400]}
    real = world.plant.room.uploads.finish

    def finish(*words):
        made = real(*words)
        _full(world)
        return made

    world.plant.room.uploads.finish = finish
    batch = world.start(twelve)
    world.rests(batch)
    return batch


def test_a_file_that_is_whole_stays_where_the_other_may_not_be_made(world, half):
    world.plant.clock.sleep(9 * 86_400)
    done = world.over(half)
    assert (done.state, done.answered, done.failed, done.refused) == (
        BatchState.FAILED,
        11,
        1,
        "",
    )
    assert len(world.lines_of(done.output)) == 11


def test_a_file_that_was_erased_while_the_other_waited_is_not_made_again(world, half):
    (output,) = [row.id for row in world.plant.room.files.some("acme", OUTPUT)]
    world.plant.room.erasures.erase(world.admin, output)
    _full(world, uploads_per_tenant=8)
    world.plant.clock.sleep(61)
    done = world.over(half)
    assert (done.state, done.output) == (BatchState.COMPLETED, output)
    kept = [row.id for row in world.plant.room.files.some("acme", OUTPUT)]
    assert kept == [done.refused]


@pytest.mark.parametrize("withdraws", [True, False])
def test_one_whose_tenant_is_stopped_ends_with_its_answers_once_it_may(world, twelve, withdraws):
    world.batches = world.made_batches(batch_at_once=1)
    world.passing.held = {"Question 4"}
    batch = world.start(twelve)
    world.held(batch, answered=4)
    room, tenants = world.plant.vault_room, world.plant.tenants
    (room.withdraw if withdraws else tenants.suspend)("op", "acme")
    world.passing.code = "keys_withdrawn" if withdraws else "tenant_suspended"
    world.passing.statuses = {"Question 5": [403]}
    world.passing.gate.set()
    waits = world.rests(batch)
    assert waits.state is BatchState.FINALIZING
    (room.give_back if withdraws else tenants.resume)("op", "acme")
    world.plant.clock.sleep(61)
    done = world.over(batch)
    assert (done.state, done.answered) == (BatchState.FAILED, waits.answered)
    assert len(world.lines_of(done.output)) == waits.answered


def test_a_tenant_that_may_ask_nothing_any_more_ends_it(world, twelve):
    world.passing.code = "tenant_suspended"
    world.passing.statuses = {f"Question {number}": [403] for number in range(12)}
    done = world.over(world.start(twelve))
    assert done.state is BatchState.FAILED
    assert len(world.passing.asked) <= world.plant.limits.batch_at_once


def test_answers_rest_sealed_and_go_with_their_input(world, twelve):
    world.batches = world.made_batches(batch_at_once=1)
    world.passing.held = {"Question 6"}
    batch = world.start(twelve)
    world.held(batch, answered=6)
    kept = b"".join(path.read_bytes() for path in world.plant.home.glob("inland.db*"))
    assert CANARY.encode() not in kept
    assert b"Question" not in kept
    world.plant.room.erasures.erase(world.admin, batch.input)
    world.passing.gate.set()
    done = world.over(batch)
    assert (done.state, done.output) == (BatchState.FAILED, "")
    assert not world.plant.room.holders._vault.has_key("acme", batch.input)


def test_only_what_may_be_served_is_a_batch_and_only_of_its_tenant(world, twelve):
    training = world.add_file(b'{"messages": []}\n', "fine-tune")
    with pytest.raises(Denied, match=r"asset\.purpose"):
        world.start(training)
    batches = world.batches.batches
    batch = world.over(world.start(twelve))
    for act in (batches.show, lambda *words: batches.cancel(world.other, *words)):
        with pytest.raises(NotFound):
            act("demo", batch.id)
    assert batches.page("demo", None, 10).batches == []
    with pytest.raises(Conflict, match="completed"):
        batches.cancel(world.member, "acme", batch.id)
    limited = replace(world.member, models=("smollm2",))
    with pytest.raises(Denied, match="limited to models"):
        batches.begin(limited, NewBatch("acme", twelve, CHAT, "24h", {}))


def test_a_tenant_has_so_many_under_way_and_no_more(world, twelve):
    world.batches = world.made_batches(batches_per_tenant=2)
    first = [world.start(twelve) for _ in range(2)]
    with pytest.raises(Conflict, match="batches_per_tenant"):
        world.start(twelve)
    for one in first:
        world.over(one)
    page = world.batches.batches.page("acme", None, 1)
    assert page.more
    rest = world.batches.batches.page("acme", page.batches[0].id, 10)
    assert {one.id for one in (*page.batches, *rest.batches)} == {one.id for one in first}
