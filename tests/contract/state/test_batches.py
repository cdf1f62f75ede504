"""`ports.batches.BatchTables`: what was put is there, in order and counted, over both databases."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from inland.adapters.sql.database import Database, sqlite_url
from inland.domain.batches import Answer, Batch, BatchState, Flaw
from inland.ports.store import Store
from tests import postgresql

BATCH = Batch(
    id="batch_0",
    tenant="acme",
    by="k",
    state=BatchState.IN_PROGRESS,
    endpoint="/v1/completions",
    input="asset",
    created_unix_s=1,
    expires_unix_s=2,
    metadata={"a": "b"},
    times={"in_progress": 3},
    total=4,
    flaws=(Flaw("code", "why", 1, "field"),),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request, tmp_path_factory) -> Iterator[Store]:
    with ExitStack() as ends:
        url = sqlite_url(tmp_path_factory.mktemp("db") / "a.db")
        if request.param == "postgresql":
            url = ends.enter_context(postgresql.server()).database()
        made = Database(url, synchronous="OFF")
        ends.callback(made.close)
        yield made


def test_batches_are_the_newest_first_page_by_page_of_their_tenant(store: Store):
    batches = [replace(BATCH, id=f"batch_{n}", created_unix_s=n // 2) for n in range(5)]
    with store.write() as transaction:
        for one in (*batches, replace(BATCH, id="batch_9", tenant="demo")):
            transaction.batches.put_batch(one)
    with store.read() as transaction:
        tables = transaction.batches
        first = tables.batches("acme", None, 2)
        rest = tables.batches("acme", first[-1], 9)
        assert [*first, *rest] == batches[::-1]
        assert len(tables.under_way()) == 6
    over = replace(batches[0], state=BatchState.COMPLETED)
    with store.write() as transaction:
        for one in (over, replace(batches[1], state=BatchState.FAILED)):
            transaction.batches.put_batch(one)
        transaction.batches.forget_batches("acme", 1)
    with store.read() as transaction:
        assert transaction.batches.batch("batch_0") is None
        assert transaction.batches.batch("batch_1") is not None
        assert len(transaction.batches.under_way()) == 4


def test_answers_are_counted_apart_and_gone_when_forgotten(store: Store):
    answers = [Answer("a", n, n % 3 == 0, 10 + n, bytes([n])) for n in range(1, 8)]
    with store.write() as transaction:
        for one in reversed(answers):
            transaction.batches.put_answer(one)
            transaction.batches.put_answer(one)
    with store.read() as transaction:
        tables = transaction.batches
        assert tables.answered("a", 2, 4) == {2, 3, 4}
        assert tables.counts("a", failed=True) == (2, 29)
        assert tables.counts("b", failed=True) == (0, 0)
        good = [one for one in answers if not one.failed]
        assert tables.answers("a", failed=False, after=2, limit=3) == good[2:5]
    with store.write() as transaction:
        transaction.batches.forget_answers("a")
    with store.read() as transaction:
        assert transaction.batches.counts("a", failed=False) == (0, 0)
