"""Ten minutes of fuzzing, seeded: executions, what was found. One JSON line for each target."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import TARGETS

HERE = Path(__file__).parent
#: In all, in seconds; each target has the same.
FUZZ_S = 600
MAX_BYTES = 4096
#: Beyond these one input takes too much time, or memory.
SLOWEST_S, RSS_MIB = 5, 1024


def fuzz(seed: int, total_s: int = FUZZ_S) -> int:
    """1 where a law broke: the input is left in the folder that is printed."""
    found = [_one(name, seed, total_s // len(TARGETS)) for name in TARGETS]
    return int(any(found))


def _one(name: str, seed: int, seconds: int) -> bool:
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    (folder / "new").mkdir()
    argv = [sys.executable, "-m", "tests.fuzz.run", name]
    argv += [str(folder / "new"), str(HERE / "corpus" / name)]
    argv += [f"-seed={seed}", f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}"]
    argv += [f"-timeout={SLOWEST_S}", f"-rss_limit_mb={RSS_MIB}", "-print_final_stats=1"]
    argv += [f"-dict={HERE / name}.dict", f"-artifact_prefix={folder}/found-"]
    done = subprocess.run(argv, cwd=HERE.parents[1], capture_output=True, text=True, check=False)
    stats = dict(re.findall(r"stat::(\w+):\s+(\d+)", done.stderr))
    figure = {
        "soak": "fuzz",
        "target": name,
        "seed": seed,
        "seconds": seconds,
        "executions": int(stats.get("number_of_executed_units", 0)),
        "executions_per_s": int(stats.get("average_exec_per_sec", 0)),
        "new_inputs": int(stats.get("new_units_added", 0)),
        "peak_rss_mib": int(stats.get("peak_rss_mb", 0)),
        "found": [str(path) for path in folder.glob("found-*")],
        "holds": done.returncode == 0,
    }
    print(json.dumps(figure), flush=True)
    if done.returncode != 0:
        print(done.stderr[-4000:], file=sys.stderr)
    return done.returncode != 0
