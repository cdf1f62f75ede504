"""The full figures, seeded: what `make test` runs small, run large. One JSON line each."""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from inland.domain.plant import EngineKind
from tests.chaos import line_kills
from tests.chaos.liars import LIES as LIES_BY_NAME
from tests.chaos.liars import mutated
from tests.chaos.lies import hold
from tests.factory import batch_soak, cache_timing, carried, played
from tests.factory.canary.soak import soak as follow_canary
from tests.factory.idle import soak as idle_connections
from tests.factory.quiet import soak as quiet_factory
from tests.factory.running import Running
from tests.factory.withdrawal import soak as withdrawal
from tests.fuzz.soak import fuzz
from tests.model import embedded_model
from tests.training import soak as trainer
from tests.training.line_soak import soak as line_train
from tests.training.openai_soak import soak as fine_tuned

ROOT = Path(__file__).parents[1]
#: Where laws are properties; each is tried on far more examples than in a test.
LAWS = ("tests/unit", "tests/contract", "tests/chaos/test_books_forgetful.py")
GUARD_EXAMPLES = 10_000
KILLS = 200
FAULTS, LIES = 3, 400
STARTS = 7
#: A start of a warm home is promised to be ready in under this many seconds.
WARM_START_S = 3


def kills(seed: int) -> int:
    """Two hundred `kill -9` under mixed load over every role and phase; prints its own line."""
    argv = [sys.executable, "-m", "tests.chaos.kills", "--kills", str(KILLS), "--seed", str(seed)]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


def faults(seed: int) -> int:
    """A full disk, a read-only one, failed syncs and a clock that jumps, a few seeds of each."""
    argv = [sys.executable, "-m", "tests.chaos.faults", "--times", str(FAULTS)]
    return subprocess.run([*argv, "--seed", str(seed)], cwd=ROOT, check=False).returncode


def lies(seed: int) -> int:
    """Every lie an engine can tell, and honest answers changed by chance, four hundred of them."""
    told, broken = [], []
    start = time.monotonic()
    changed = {f"seed-{n}": mutated(n) for n in range(seed * LIES, (seed + 1) * LIES)}
    for kind in EngineKind:
        with tempfile.TemporaryDirectory() as folder:
            found, laws_broken = hold(kind, Path(folder), LIES_BY_NAME | changed)
        told += found
        broken += laws_broken
    ends = Counter(f"{one.status} {one.ended}" for one in told)
    seconds = round(time.monotonic() - start, 1)
    line = {"soak": "lies", "seed": seed, "holds": not broken, "seconds": seconds}
    line |= {"told": len(told), "ends": dict(ends), "broken": broken[:10]}
    print(json.dumps(line))
    return int(bool(broken))


def laws(seed: int, name: str = "laws", where: tuple[str, ...] = LAWS, *more: str) -> int:
    """Every property on the examples of the `soak` profile."""
    argv = [sys.executable, "-m", "pytest", "--soak", "-q", f"--hypothesis-seed={seed}", *where]
    argv += ["-o", "timeout=3600", *more]
    start = time.monotonic()
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    last = done.stdout.strip().splitlines()[-1]
    counts = {outcome: int(count) for count, outcome in re.findall(r"(\d+) (\w+)", last)}
    kept = {name: counts.get(name, 0) for name in ("passed", "failed", "skipped")}
    seconds = round(time.monotonic() - start, 1)
    print(json.dumps({"soak": name, "seed": seed, "seconds": seconds, **kept}))
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
    return done.returncode


def guard(seed: int) -> int:
    """What a guard finds and lets go however a text is cut, on ten thousand texts of each law."""
    return laws(seed, "guard", ("tests/unit/decide/guard",), "--examples", str(GUARD_EXAMPLES))


def start(seed: int) -> int:
    """Starts of a warm home, from the command to `/readyz`: the median is to be under 3 s."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        factory = Running(Path(folder) / "home")
        for _ in range(STARTS + 1):
            begin = time.monotonic()
            factory.up()
            seconds.append(round(time.monotonic() - begin, 2))
            factory.down()
    warm = sorted(seconds[1:])
    holds = warm[STARTS // 2] < WARM_START_S
    print(json.dumps({"soak": "start", "seed": seed, "holds": holds, "warm_start_s": warm}))
    return int(not holds)


def contract(seed: int) -> int:
    """The HTTP contract asked of a factory, every role and route; prints its own line."""
    argv = [sys.executable, "-m", "tests.factory.contract", "--thorough", "--seed", str(seed)]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


def scale(seed: int) -> int:
    """Check, backup and restore at 100,000 to a million records; prints its own line."""
    argv = [sys.executable, "-m", "tests.scale", "--seed", str(seed)]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


def report(seed: int) -> int:
    """A month of a million records, judged minute by minute; prints its own line."""
    argv = [sys.executable, "-m", "tests.report_scale", "--seed", str(seed)]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


def cache(seed: int) -> int:
    """Whether the time to the first token tells a tenant what another has sent: 200 pairs."""
    figure = cache_timing.measure(seed)
    print(json.dumps(figure))
    return int(not figure["holds"])


def bundle(seed: int) -> int:
    """A factory carried in a bundle to where no network is, and its smoke test there."""
    with tempfile.TemporaryDirectory(prefix="inl-") as folder:
        figure = carried.measure(Path(folder))
    print(json.dumps({"soak": "bundle", "seed": seed, **figure}))
    return int(not figure["holds"])


def idle(seed: int) -> int:
    """Ten thousand connections that say nothing, and what they cost."""
    with tempfile.TemporaryDirectory() as folder:
        return idle_connections(seed, Path(folder))


def quiet(seed: int) -> int:
    """What a factory costs that nobody asks for anything."""
    with tempfile.TemporaryDirectory(prefix="inl-") as folder:
        return quiet_factory(seed, Path(folder))


def policies(seed: int) -> int:
    """The default policies beside the promises, 100,000 random cases of models and as many of
    assets; prints its own lines."""
    argv = [sys.executable, "-m", "tests.unit.decide.agreement", "--seed", str(seed)]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


def fairness(seed: int) -> int:
    """The laws of shares over random arrivals in simulated time, 10,000 seeds; prints its line."""
    argv = [sys.executable, "-m", "tests.unit.decide.fairness", "--seed", str(seed)]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


def isolation(seed: int) -> int:
    """How long what is foreign and what is unknown take to be refused; prints its own lines."""
    del seed  # nothing in it is drawn
    argv = [sys.executable, "-m", "tests.factory.isolation.timing"]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


def act_kills(seed: int) -> int:
    """Fifty `kill -9` during each act: upload, move, export, erase, record destroy, the rotation of
    each kind of key; and twenty during those over keys on an OpenBao server. A line for each."""
    argv = [sys.executable, "-m", "tests.chaos.act_kills", "--seed", str(seed)]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


def large_erase(seed: int) -> int:
    """An asset with 20,000 made of it is erased beside a small one; prints its own line."""
    argv = [sys.executable, "-m", "tests.large_erase"]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


def asset_bytes(seed: int) -> int:
    """A file of 1 GiB through `inland asset`, beside the same through age; prints its own line."""
    argv = [sys.executable, "-m", "tests.asset_bytes", "--seed", str(seed)]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


def canary(seed: int) -> int:
    """Planted texts, every process under strace: none reaches a disk; prints its own line."""
    return follow_canary(seed)


def openai_batch(seed: int) -> int:
    """A batch of 200 through the official client, control killed in its middle; prints its line."""
    return batch_soak.soak(seed)


def openai_fine_tuning(seed: int) -> int:
    """A fine-tuning job of the official client, and its model asked; prints its line."""
    return fine_tuned(seed)


#: Every figure by name, in the order they run.
FIGURES = {
    "laws": laws,
    "guard": guard,
    "lies": lies,
    "faults": faults,
    "kills": kills,
    "start": start,
    "contract": contract,
    "scale": scale,
    "report": report,
    "cache": cache,
    "bundle": bundle,
    "idle": idle,
    "quiet": quiet,
    "fuzz": fuzz,
    "policies": policies,
    "fairness": fairness,
    "isolation": isolation,
    "act-kills": act_kills,
    "line-kills": line_kills.soak,
    "asset-bytes": asset_bytes,
    "large-erase": large_erase,
    "canary": canary,
    "trainer": trainer.promises,
    "story": trainer.story,
    "line-train": line_train,
    "pilot": played.soak,
    "withdrawal": withdrawal,
    "openai-batch": openai_batch,
    "openai-fine-tuning": openai_fine_tuning,
}


def main() -> int:
    """Run the figures that are named, or all; 1 if one of them does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", help=" ".join(FIGURES))
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if unknown := set(asked.figures) - set(FIGURES):
        parser.error(f"no figure named {', '.join(sorted(unknown))}")
    embedded_model()  # a factory is started without the network
    codes = [FIGURES[name](asked.seed) for name in asked.figures or FIGURES]
    return max(map(bool, codes))


if __name__ == "__main__":
    sys.exit(main())
