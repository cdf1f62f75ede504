"""1 GB into the vault and back, beside the same file through `age`, in one run: one JSON line.

Both write to one disk and are done when what they wrote is synced; each runs in a process of its
own, its start included, and the memory of each is the most it had.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
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
MIB = 1 << 20
#: Parts worked on at once.
AT_ONCE = 12


def main() -> int:
    """Run as the bench, or as the process it measures (`--as`)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=AT_ONCE)
    parser.add_argument("--folder", type=Path, help="where it works; else a folder of its own")
    parser.add_argument("--as", dest="role", choices=("in", "out"))
    asked = parser.parse_args()
    if asked.role is not None:
        return _work(asked)
    folder = Path(tempfile.mkdtemp(prefix="bench-vault-", dir=asked.folder))
    try:
        print(json.dumps(_compare(folder, asked.mib, asked.threads)))
    finally:
        shutil.rmtree(folder)
    return 0


def _compare(folder: Path, mib: int, threads: int) -> dict[str, object]:
    plain = folder / "plain"
    with plain.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())
    key = folder / "age-key"
    subprocess.run(["age-keygen", "-o", str(key)], check=True, capture_output=True)
    to = next(line.split()[-1] for line in key.read_text().splitlines() if "public key" in line)
    sealed, back = folder / "sealed.age", folder / "back.age"
    age_in = _timed(["age", "-r", to, "-o", str(sealed), str(plain)], sealed)
    age_out = _timed(["age", "-d", "-i", str(key), "-o", str(back), str(sealed)], back)
    sealed.unlink()
    back.unlink()
    own = [sys.executable, "-m", "bench.vault", "--folder", str(folder), "--threads", str(threads)]
    vault_in = _timed([*own, "--as", "in"], None)
    vault_out = _timed([*own, "--as", "out"], None)
    assert (folder / "back").stat().st_size == plain.stat().st_size
    same = subprocess.run(["cmp", str(plain), str(folder / "back")], check=False).returncode == 0
    return {
        "bench": "vault",
        "mib": mib,
        "threads": threads,
        "same": same,
        "vault_in_mib_s": round(mib / vault_in["s"], 1),
        "vault_out_mib_s": round(mib / vault_out["s"], 1),
        "age_in_mib_s": round(mib / age_in["s"], 1),
        "age_out_mib_s": round(mib / age_out["s"], 1),
        "in_part_of_age": round(age_in["s"] / vault_in["s"], 2),
        "out_part_of_age": round(age_out["s"] / vault_out["s"], 2),
        "vault_in_rss_mib": vault_in["rss_mib"],
        "vault_out_rss_mib": vault_out["rss_mib"],
        "age_rss_mib": max(age_in["rss_mib"], age_out["rss_mib"]),
    }


def _timed(argv: list[str], written: Path | None) -> dict[str, float]:
    """Seconds and most memory of a program, what it wrote being synced."""
    began = time.perf_counter()
    child = subprocess.Popen(argv)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, argv
    if written is not None:
        fd = os.open(written, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
    return {"s": time.perf_counter() - began, "rss_mib": round(usage.ru_maxrss / 1024, 1)}


def _work(asked: argparse.Namespace) -> int:
    home: Path = asked.folder / "home"
    for name in ("keys", "vault"):
        (home / name).mkdir(parents=True, exist_ok=True)
    files = Disk(home)
    keys = EmbeddedKeys(files, FactoryKey(files, FactorySecret(Source.FILE), ROOT))
    vault = SealedVault(keys, FolderBlobs(files))
    with ThreadPoolExecutor(asked.threads) as pool:
        if asked.role == "in":
            _put(vault, asked.folder / "plain", pool, asked.threads)
        else:
            _get(vault, asked.folder, pool, asked.threads)
    return 0


def _put(vault: SealedVault, plain: Path, pool: ThreadPoolExecutor, threads: int) -> None:
    size = plain.stat().st_size
    parts = -(-size // PART_BYTES)

    def one(number: int) -> None:
        with plain.open("rb") as file:
            file.seek(number * PART_BYTES)
            vault.put(PartName("acme", ASSET, number), file.read(PART_BYTES))

    for _ in pool.map(one, range(parts)):
        pass


def _get(vault: SealedVault, folder: Path, pool: ThreadPoolExecutor, threads: int) -> None:
    fd = os.open(folder / "back", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def one(number: int) -> None:
        os.pwrite(fd, vault.get(PartName("acme", ASSET, number)), number * PART_BYTES)

    for _ in pool.map(one, list(vault.parts(ASSET))):
        pass
    os.fsync(fd)
    os.close(fd)


if __name__ == "__main__":
    sys.exit(main())
