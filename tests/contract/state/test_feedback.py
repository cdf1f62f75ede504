"""`ports.feedback.FeedbackTable`: what was said last is there, over both databases."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from inland.adapters.sql.database import Database, sqlite_url
from inland.domain.feedback import Feedback
from inland.domain.thumbs import Thumb, Thumbs
from inland.ports.store import Store
from tests import postgresql

ONE = Feedback("acme", "0197", "notes", "r1", Thumbs.UP, "k", 7, "book", b"sealed", True, True)


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def store(request, tmp_path_factory) -> Iterator[Store]:
    with ExitStack() as ends:
        url = sqlite_url(tmp_path_factory.mktemp("db") / "a.db")
        if request.param == "postgresql":
            url = ends.enter_context(postgresql.server()).database()
        made = Database(url, synchronous="OFF")
        ends.callback(made.close)
        yield made


def test_the_last_word_on_an_answer_counts_and_goes_with_its_book(store: Store):
    other = replace(ONE, receipt="0198", thumbs=Thumbs.DOWN, unix_us=9)
    thumb = replace(ONE, receipt="0199", unix_us=8, book="", sealed=b"", teaches=False)
    foreign = replace(ONE, tenant="demo", release="r2", book="theirs")
    with store.write() as transaction:
        for one in (replace(ONE, thumbs=Thumbs.DOWN), other, thumb, foreign, ONE):
            transaction.feedback.put(one)
    with store.read() as transaction:
        table = transaction.feedback
        assert table.one("acme", "0197") == ONE
        assert table.one("acme", "nothing") is None
        assert table.some("acme", None, 2) == [other, thumb]
        assert table.some(None, "notes", 9) == [other, thumb, *table.some(None, None, 9)[2:]]
        assert table.count("acme") == 3
        assert table.taught(["book"]) == [ONE, other]
        assert table.thumbs("r1", 0) == Thumb(2, 3)
        assert table.thumbs("r1", 9) == Thumb(0, 1)
        assert table.said("acme", "notes", 0) == (3, 2)
        assert table.said("acme", "notes", 7) == (2, 1), "what was said after that"
        assert table.said("acme", "others", 0) == (0, 0)
    with store.write() as transaction:
        transaction.feedback.collected(["book"])
        transaction.feedback.remove("acme", "0198")
    with store.read() as transaction:
        assert transaction.feedback.taught(["book"]) == [replace(ONE, waits=False)]
    with store.write() as transaction:
        transaction.feedback.empty(["book"])
    with store.read() as transaction:
        left = transaction.feedback.one("acme", "0197")
        assert left == replace(ONE, book="", sealed=b"", teaches=False, waits=False)
        assert transaction.feedback.taught(["book", "theirs"]) == [foreign]
