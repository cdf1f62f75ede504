"""The trees of tenant batches that receipts were asked of lately: a batch is hashed once for many.

A tree is compared with the root that was booked when it is made, and a record with its leaf each
time it is read: what has changed on the disk is damage, and no receipt.
"""

from array import array
from collections import OrderedDict
from dataclasses import dataclass
from itertools import accumulate
from threading import Lock

from inland.domain.errors import Damaged
from inland.ledger import canonical, merkle
from inland.ledger.tombstones import entry_of
from inland.plant.books.shelves import batch_lines, volume_path
from inland.ports.books import TenantBatch
from inland.ports.files import Files

#: Records whose trees are kept, about 150 bytes each.
RECORDS_KEPT = 200_000


@dataclass(frozen=True, slots=True)
class BatchTree:
    """The tree over a tenant batch's entries; `starts`: where each record begins, and the end."""

    tree: merkle.Tree
    starts: "array[int]"


class BatchTrees:
    """Any number of threads may ask."""

    def __init__(self, files: Files, records_kept: int = RECORDS_KEPT) -> None:
        self._files = files
        self._records_kept = records_kept
        self._held: OrderedDict[int, BatchTree] = OrderedDict()
        self._count = 0
        self._lock = Lock()

    def record(self, batch: TenantBatch, index: int) -> tuple[bytes, merkle.Tree]:
        """The bytes of a batch's record, or of its tombstone, and its tree. Raises Damaged."""
        with self._lock:
            found = self._held.get(batch.id)
            if found is not None:
                self._held.move_to_end(batch.id)
        if found is None:
            found = self._make(batch)
            self._keep(batch.id, found)
        data = self._read(batch, found.starts[index], found.starts[index + 1] - 1)
        if merkle.leaf_hash(entry_of(data)) != found.tree.node(0, index):
            raise Damaged(_where(batch), f"record {index} of batch {batch.number} was changed")
        return data, found.tree

    def _make(self, batch: TenantBatch) -> BatchTree:
        lines = batch_lines(self._files, batch)
        tree = merkle.Tree([entry_of(line) for line in lines])
        if tree.root.hex() != canonical.decode(batch.record)["root"]:
            raise Damaged(_where(batch), f"batch {batch.number} is not what was booked")
        starts = accumulate((len(line) + 1 for line in lines), initial=batch.offset)
        return BatchTree(tree, array("Q", starts))

    def _keep(self, number: int, made: BatchTree) -> None:
        with self._lock:
            if number not in self._held and made.tree.size <= self._records_kept:
                self._held[number] = made
                self._count += made.tree.size
                while self._count > self._records_kept:
                    _, oldest = self._held.popitem(last=False)
                    self._count -= oldest.tree.size

    def _read(self, batch: TenantBatch, start: int, end: int) -> bytes:
        try:
            file = self._files.open(volume_path(batch.tenant, batch.writer))
        except FileNotFoundError:
            raise Damaged(_where(batch), "missing") from None
        try:
            return file.read(start, end - start)
        finally:
            file.close()


def _where(batch: TenantBatch) -> str:
    return volume_path(batch.tenant, batch.writer)
