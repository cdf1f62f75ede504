"""A large file through `inland asset add` and `export`, beside the same file through `age`.

Prints one JSON line: megabytes a second of each, and what the processes held in memory at most.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.factory.running import Running, running

MIB = 1 << 20
SIZE_MIB = 1024
#: What is promised: at least this part of age's speed, and less memory than this.
SHARE, MEMORY_MIB = 0.5, 200


def seconds_of(argv: list[str], **given: Any) -> float:
    """How long a command took."""
    begin = time.monotonic()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, **given)
    return time.monotonic() - begin


def through_age(file: Path, folder: Path) -> float:
    """There and back: seconds."""
    key = folder / "age.key"
    key.unlink(missing_ok=True)
    made = subprocess.run(
        ["age-keygen", "-o", str(key)], check=True, capture_output=True, text=True
    )
    recipient = made.stderr.split()[-1]
    sealed, out = folder / "sealed.age", folder / "opened"
    there = seconds_of(["age", "-r", recipient, "-o", str(sealed), str(file)])
    os.sync()
    back = seconds_of(["age", "-d", "-i", str(key), "-o", str(out), str(sealed)])
    sealed.unlink()
    out.unlink()
    return there + back


def through_inland(factory: Running, file: Path, folder: Path) -> tuple[float, float]:
    """There, and back: seconds of each."""
    out = folder / "exported"
    begin = time.monotonic()
    asset = factory.json("asset", "add", str(file), "--tenant", "acme", "--name", "large")["id"]
    there = time.monotonic() - begin
    begin = time.monotonic()
    factory.run("asset", "export", asset, "-o", str(out))
    back = time.monotonic() - begin
    subprocess.run(["cmp", str(file), str(out)], check=True)
    out.unlink()
    factory.run("asset", "erase", asset, "--yes", "-o", str(folder / "certificate.json"))
    return there, back


def held_mib(pid: int) -> int:
    """What a process has held at most, by the kernel's account."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    raise AssertionError(f"nothing is told of {pid}")


def measure(seed: int, size_mib: int) -> dict[str, Any]:
    """The figure."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        file = folder / "large.bin"
        with file.open("wb") as out:
            for _ in range(size_mib):
                out.write(os.urandom(MIB))
        with running(folder / "home") as factory:
            through_age(file, folder)  # once for the page cache, as the other has it
            there, back = through_inland(factory, file, folder)
            age = through_age(file, folder)
            control = held_mib(factory.pid("control"))
        command = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        shutil.rmtree(folder / "home", ignore_errors=True)
    share = age / (there + back)
    return {
        "soak": "asset-bytes",
        "seed": seed,
        "holds": share >= SHARE and max(control, command) < MEMORY_MIB,
        "mib": size_mib,
        "add_mib_per_s": round(size_mib / there),
        "export_mib_per_s": round(size_mib / back),
        "age_mib_per_s": round(2 * size_mib / age),
        "of_age": round(share, 2),
        "control_mib": control,
        "commands_mib": command,
    }


def main() -> int:
    """Run it; one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mib", type=int, default=SIZE_MIB)
    asked = parser.parse_args()
    told = measure(asked.seed, asked.mib)
    print(json.dumps(told))
    return int(not told["holds"])


if __name__ == "__main__":
    sys.exit(main())
