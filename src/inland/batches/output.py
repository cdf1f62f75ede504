"""What was answered in a batch, made files: assets of its tenant, derived from its input.

A file that was begun is gone on with: there is never a second of the same answers.
"""

from collections.abc import Iterator
from dataclasses import replace

from inland.batches.asking import Asking
from inland.batches.batches import counted, found_batch
from inland.batches.keys import BatchKeys
from inland.domain.assets import PART_BYTES, AssetKind, AssetState
from inland.domain.batches import Batch
from inland.domain.plant import Key
from inland.plant.changes import Changes
from inland.plant.uploads import NewAsset, Uploads
from inland.ports.keys import KeyGone

#: Answers read from the database at once.
_AT_ONCE = 64


class Output:
    """Makes files of the answers of batches."""

    def __init__(self, changes: Changes, uploads: Uploads, asking: Asking, keys: BatchKeys) -> None:
        self._changes = changes
        self._uploads = uploads
        self._asking = asking
        self._keys = keys

    def made(self, batch: Batch) -> Batch:
        """The batch with its files, those of which there is something. Raises what uploads do."""
        for failed in (False, True):
            with self._changes.store.read() as transaction:
                many, size = transaction.batches.counts(batch.id, failed=failed)
            batch = replace(batch, failed=many) if failed else replace(batch, answered=many)
            if many:
                batch = self._file(batch, size, failed=failed)
        return batch

    def left(self, batch: Batch) -> Batch:
        """The batch with those of its files that are whole, where no more can be made."""
        with self._changes.store.read() as transaction:
            found = found_batch(transaction.batches, batch.tenant, batch.id)
            found = counted(transaction.batches, found)
        output, refused = (
            one if self._state(one) is AssetState.LIVE else ""
            for one in (found.output, found.refused)
        )
        return replace(found, output=output, refused=refused)

    def is_lost(self, batch: Batch, error: Exception) -> bool:
        """Whether `error`, which kept a file from being made, does so for good: what was answered
        goes with the input."""
        if isinstance(error, KeyGone) and error.name.asset == batch.input:
            return True
        return self._state(batch.input) is not AssetState.LIVE

    def _file(self, batch: Batch, size: int, *, failed: bool) -> Batch:
        who = self._keys.key(batch)
        begun = batch.refused if failed else batch.output
        if self._state(begun) not in {None, AssetState.UPLOADING}:
            return batch  # it was whole; who erased it since does not get it back
        word = "errors" if failed else "output"
        wanted = NewAsset(
            tenant=batch.tenant,
            kind=AssetKind.DATASET,
            name=f"{batch.id}_{word}.jsonl",
            bytes=size,
            parents=(batch.input,),
            run=batch.id,
            resume=word,
        )
        asset = self._uploads.begin(who, wanted).id
        with self._changes.store.write() as transaction:  # before it can be whole
            found = found_batch(transaction.batches, batch.tenant, batch.id)
            transaction.batches.put_batch(_with(found, asset, failed=failed))
        self._put(who, batch, asset, failed=failed)
        self._uploads.finish(who, asset)
        return _with(batch, asset, failed=failed)

    def _state(self, asset: str) -> AssetState | None:
        with self._changes.store.read() as transaction:
            row = transaction.assets.asset(asset) if asset else None
        return None if row is None else row.state

    def _put(self, who: Key, batch: Batch, asset: str, *, failed: bool) -> None:
        held, number = bytearray(), 0
        for line in self._lines(batch, failed=failed):
            held += line
            while len(held) >= PART_BYTES:
                self._uploads.put(who, asset, number, bytes(held[:PART_BYTES]))
                del held[:PART_BYTES]
                number += 1
        if held:
            self._uploads.put(who, asset, number, bytes(held))

    def _lines(self, batch: Batch, *, failed: bool) -> Iterator[bytes]:
        after = 0
        while True:
            with self._changes.store.read() as transaction:
                some = transaction.batches.answers(
                    batch.id, failed=failed, after=after, limit=_AT_ONCE
                )
            if not some:
                return
            yield from self._asking.opened(batch, some)
            after = some[-1].number


def _with(batch: Batch, asset: str, *, failed: bool) -> Batch:
    return replace(batch, refused=asset) if failed else replace(batch, output=asset)
