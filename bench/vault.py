"""1 GB into the vault and back, beside the same file through `age`, in one run: one JSON line.

Each round takes every way in turn, so that what else the machine does falls on all of them: `age`,
the vault alone in a process of its own, and `inland asset add` and `export` against a running
factory. Each is done when what it wrote is synced; ratios are of one round, figures medians.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench import serve
from bench.cost import Cost, Watched, cost_of

MIB = 1 << 20
#: What each way does beside moving the bytes.
ON = {
    "age": "X25519 recipient, ChaCha20-Poly1305, file to file, synced once at the end",
    "vault": "AES-256-GCM part by part, each part synced and renamed into place, no books",
    "api": "command, HTTP over control.sock, key, Cedar decision, HMAC-SHA-256 of each part, the "
    "vault, each part on the books and synced before it is acknowledged, intent and record",
    "bare": "cp, synced once at the end: what the disk gives",
}
WAYS = ("bare", "age_in", "vault_in", "api_in", "age_out", "vault_out", "api_out")


def main() -> int:
    """Print what is on at each side, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where it works; else a folder of its own")
    asked = parser.parse_args()
    for side, what in ON.items():
        print(f"# {side}: {what}")
    folder = Path(tempfile.mkdtemp(prefix="bench-vault-", dir=asked.folder))
    try:
        home = folder / "home"
        with serve.bare_factory(None, home, serve.free_port()):
            serve.inland_says(None, home, "tenant", "add", "bench")
            sides = _sides(folder, home, asked.mib)
            rounds = [_round(sides, number) for number in range(asked.rounds)]
        print(json.dumps(_figures(asked.mib, rounds)))
    finally:
        shutil.rmtree(folder)
    return 0


@dataclass(frozen=True)
class Sides:
    """What every way works with: the file, an age key, a factory and who watches its processes."""

    folder: Path
    home: Path
    recipient: str
    watched: Watched

    @property
    def plain(self) -> Path:
        """The file that goes in and comes out."""
        return self.folder / "plain"


def _sides(folder: Path, home: Path, mib: int) -> Sides:
    with (folder / "plain").open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(MIB))
        os.fsync(file.fileno())
    key = folder / "age-key"
    subprocess.run(["age-keygen", "-o", str(key)], check=True, capture_output=True)
    to = next(line.split()[-1] for line in key.read_text().splitlines() if "public key" in line)
    return Sides(folder, home, to, Watched.of(home))


def _round(sides: Sides, number: int) -> dict[str, Cost]:
    """Every way once; ends the bench where one brought back something else."""
    folder, plain = sides.folder, str(sides.plain)
    sealed, back = folder / "sealed.age", folder / "back"
    alone = [sys.executable, "-m", "bench.vault_alone", str(folder)]
    costs = {
        "bare": cost_of("cp", ["cp", plain, str(back)], back),
        "age_in": cost_of("age", ["age", "-r", sides.recipient, "-o", str(sealed), plain], sealed),
        "vault_in": cost_of("vault", [*alone, "in"]),
    }
    told, costs["api_in"] = sides.watched.cost_of_command(
        *("asset", "add", plain, "--tenant", "bench", "--name", f"round-{number}")
    )
    opening = ["age", "-d", "-i", str(folder / "age-key"), "-o", str(back), str(sealed)]
    costs["age_out"] = cost_of("age", opening, back)
    _demand_same(sides.plain, back)
    costs["vault_out"] = cost_of("vault", [*alone, "out"])
    _demand_same(sides.plain, folder / "alone")
    _, costs["api_out"] = sides.watched.cost_of_command(
        "asset", "export", told["id"], "-o", str(back)
    )
    _demand_same(sides.plain, back)
    serve.inland_says(
        None, sides.home, "asset", "erase", told["id"], "--yes", "-o", f"{folder}/gone"
    )
    for left in (sealed, back, folder / "alone"):
        left.unlink()
    shutil.rmtree(folder / "vault-alone")
    shown = ", ".join(f"{way} {costs[way].s:.1f} s" for way in WAYS)
    print(f"# round {number}: {shown}", flush=True)
    return costs


def _demand_same(one: Path, other: Path) -> None:
    if subprocess.run(["cmp", str(one), str(other)], check=False).returncode:
        raise SystemExit(f"{other} is not what went in")


def _figures(mib: int, rounds: list[dict[str, Cost]]) -> dict[str, object]:
    figures: dict[str, object] = {
        "bench": "vault",
        "mib": mib,
        "rounds": len(rounds),
        "cores": os.cpu_count(),
        "load_1m": round(os.getloadavg()[0], 1),
    }
    for way in ("vault_in", "api_in", "vault_out", "api_out"):
        beside = f"age_{way.rpartition('_')[2]}"
        ratios = [one[beside].s / one[way].s for one in rounds]
        figures[f"{way}_part_of_age"] = round(statistics.median(ratios), 2)
        figures[f"{way}_part_of_age_rounds"] = [round(ratio, 2) for ratio in ratios]
    figures["s"] = {way: _median([one[way].s for one in rounds]) for way in WAYS}
    figures["cpu_s"] = {
        way: {who: _median([one[way].cpu_s[who] for one in rounds]) for who in rounds[0][way].cpu_s}
        for way in WAYS
    }
    figures["rss_mib"] = {
        way: {who: max(one[way].rss_mib[who] for one in rounds) for who in rounds[0][way].rss_mib}
        for way in WAYS
    }
    return figures


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 2)


if __name__ == "__main__":
    sys.exit(main())
