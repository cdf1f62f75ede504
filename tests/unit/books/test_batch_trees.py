"""A batch is hashed once for many receipts, and what changed on the disk gets none."""

import pytest

from inland.domain.errors import Damaged
from inland.ledger import receipts
from inland.plant.books.batch_trees import BatchTrees
from inland.plant.books.tally import id_bytes


@pytest.fixture
def filled(world):
    for count in (5, 3, 7):
        for _ in range(count):
            world.commit("acme")
        world.tick()
    return world


class Watched:
    """Files that say how many bytes were read of them."""

    def __init__(self, files):
        self._files, self.read = files, 0

    def open(self, path):
        return _WatchedFile(self, self._files.open(path))


class _WatchedFile:
    def __init__(self, watched, file):
        self._watched, self._file = watched, file

    def read(self, offset, length):
        data = self._file.read(offset, length)
        self._watched.read += len(data)
        return data

    def close(self):
        self._file.close()


def places(world):
    with world.database.read() as transaction:
        return {ref: transaction.books.place(id_bytes(ref)) for ref in world.seen.records}


def test_a_batch_is_read_once_and_its_records_alone_afterwards(filled):
    files = Watched(filled.disk.process("reader"))
    trees = BatchTrees(files)
    total = sum(map(len, filled.seen.records.values()))
    for _ in range(3):
        for ref, place in places(filled).items():
            data, tree = trees.record(place.batch, place.index)
            assert data == filled.seen.records[ref]
            assert tree.size == place.batch.count
    assert files.read == (1 + 3) * total + len(filled.seen.records)


@pytest.mark.parametrize("kept", [0, 4, 8, 12])
def test_what_is_kept_is_bounded_and_right_whatever_the_bound(filled, kept):
    trees = BatchTrees(filled.disk.process("reader"), kept)
    for _ in range(2):
        for ref, place in places(filled).items():
            assert trees.record(place.batch, place.index)[0] == filled.seen.records[ref]
            assert sum(held.tree.size for held in trees._held.values()) == trees._count <= kept


@pytest.mark.parametrize("known", [True, False])
def test_a_record_that_was_changed_gets_no_receipt(filled, known):
    ref, place = next(iter(places(filled).items()))
    books = filled.books()
    if known:
        receipts.verify(books.receipt(ref), books.vkey)
    file = filled.disk.process("somebody").open(f"records/acme/{place.batch.writer}.jsonl")
    data = file.read(0, file.size())
    file.truncate(0)
    file.append(data.replace(b'"prompt_tokens":3', b'"prompt_tokens":9', 1))
    with pytest.raises(Damaged, match="records/acme"):
        books.receipt(ref)
