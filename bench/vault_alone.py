"""The vault by itself, as the process that `bench.vault` measures: a file in by parts, and out."""

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from inland.adapters.files.disk import Disk
from inland.adapters.vault.embedded_keys import ROOT, EmbeddedKeys
from inland.adapters.vault.factory_key import FactoryKey, FactorySecret, Source
from inland.adapters.vault.folder_blobs import FolderBlobs
from inland.adapters.vault.sealed_vault import SealedVault
from inland.domain.assets import PART_BYTES
from inland.ports.vault import PartName

ASSET = "0198c2a1-bench"
#: Parts worked on at once, as a command has them under way.
AT_ONCE = 3


def main() -> int:
    """FOLDER holds `plain`, which goes in, and gets `alone`, which came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("way", choices=("in", "out"))
    asked = parser.parse_args()
    vault = _vault(asked.folder / "vault-alone")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        if asked.way == "in":
            _put(vault, asked.folder / "plain", pool)
        else:
            _get(vault, asked.folder / "alone", pool)
    return 0


def _vault(home: Path) -> SealedVault:
    for name in ("keys", "vault"):
        (home / name).mkdir(parents=True, exist_ok=True)
    files = Disk(home)
    keys = EmbeddedKeys(files, FactoryKey(files, FactorySecret(Source.FILE), ROOT))
    return SealedVault(keys, FolderBlobs(files))


def _put(vault: SealedVault, plain: Path, pool: ThreadPoolExecutor) -> None:
    with plain.open("rb") as file:
        fd = file.fileno()

        def one(number: int) -> None:
            data = os.pread(fd, PART_BYTES, number * PART_BYTES)
            vault.put(PartName("acme", ASSET, number), data)

        for _ in pool.map(one, range(-(-plain.stat().st_size // PART_BYTES))):
            pass


def _get(vault: SealedVault, out: Path, pool: ThreadPoolExecutor) -> None:
    with out.open("wb") as file:
        fd = file.fileno()

        def one(number: int) -> None:
            os.pwrite(fd, vault.get(PartName("acme", ASSET, number)), number * PART_BYTES)

        for _ in pool.map(one, list(vault.parts(ASSET))):
            pass
        os.fdatasync(fd)


if __name__ == "__main__":
    sys.exit(main())
