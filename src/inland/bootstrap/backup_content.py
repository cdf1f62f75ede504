"""Sealed content in a backup: each part of each asset that its books have, as it lies there.

Nothing here opens anything, and no key comes with it. What is erased while a backup is made is not
in it; what is missing though nobody erased it is said, and what no longer lies where its books say.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from inland.adapters.archive.container import CHUNK_BYTES, Part
from inland.adapters.vault.folder_blobs import ROOT
from inland.adapters.vault.sealed_vault import blob_name
from inland.adapters.vault.sealing import OVERHEAD_BYTES
from inland.domain.assets import LOCAL_STORE, AssetState, part_count
from inland.ports.store import Store


@dataclass(slots=True)
class Content:
    """Of the home at `root`: the id and size of each whole asset that is read, by id; `elsewhere`:
    in which store each other one lies, which stays there."""

    root: Path
    assets: list[tuple[str, int]]
    elsewhere: dict[str, str]
    #: Parts that were not there when their turn came, by asset.
    absent: dict[str, int] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """What it takes in the backup, headers left out."""
        return sum(size + part_count(size) * OVERHEAD_BYTES for _, size in self.assets)

    def parts(self) -> Iterator[Part]:
        """One after the other, in the order of their paths; each is to be read before the next."""
        for asset, size in self.assets:
            for number in range(part_count(size)):
                path = f"{ROOT}/{blob_name(asset, number)}"
                try:
                    file = (self.root / path).open("rb")
                except FileNotFoundError:
                    self.absent[asset] = self.absent.get(asset, 0) + 1
                    continue
                with file:  # held open: it may be erased while it is read
                    yield Part(path, file.seek(0, 2), partial(_chunks, file))

    def missing(self, store: Store) -> list[str]:
        """The assets that the books have still, but of which parts were absent, or which no longer
        lie where the backup's books have them."""
        with store.read() as transaction:
            rows = transaction.assets.some({*self.absent, *self.elsewhere})
        still = [row for row in rows if row.state is AssetState.LIVE]
        return sorted(
            row.id for row in still if row.id in self.absent or row.store != self.elsewhere[row.id]
        )


def content_of(store: Store, root: Path, *, held: bool) -> Content:
    """The whole assets that a copy of the books knows, those in the factory's own store to be read
    where they are `held`. Uploads under way are left to begin anew."""
    with store.read() as transaction:
        rows = [r for r in transaction.assets.assets(None) if r.state is AssetState.LIVE]
    here = sorted((row.id, row.bytes) for row in rows if held and row.store == LOCAL_STORE)
    there = {row.id: row.store for row in rows if not held or row.store != LOCAL_STORE}
    return Content(root, here, there)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    yield from iter(lambda: file.read(CHUNK_BYTES), b"")
