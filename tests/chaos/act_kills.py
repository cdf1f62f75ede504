"""`kill -9` in the middle of an act, and what becomes of it: one JSON line for each act.

A child does the act over a copy of one home and is killed just before a step of it: an SQL
statement, a commit, an operation on a file, a call to a server. Then the home is opened again, as a
start does, and the laws are asked.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inland.domain.errors import InlandError
from tests.chaos import asset_kills, record_kills, rotation_kills, server_kills, vault_key_kills
from tests.chaos.fuse import Act, Fuse

#: Every act by name.
ACTS: Mapping[str, Act] = {
    **asset_kills.ACTS,
    **record_kills.ACTS,
    **rotation_kills.ACTS,
    **vault_key_kills.ACTS,
    **server_kills.ACTS,
}


def died(folder: Path, act: Act, fuse: Fuse) -> bool:
    """Do the act in a child with a fuse; whether it was killed. What was counted stands in
    `burnt`, beside the home."""
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(InlandError):
            act.do(folder / "home", fuse)
            (folder / "burnt").write_text(str(fuse.burnt))
            code = 0
        os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, -signal.SIGKILL}, f"it ended with {code}"
    return code != 0


@dataclass
class Series:
    """Kills of one act, one in each stretch of it."""

    folder: Path
    name: str
    act: Act

    def run(self, kills: int, seed: int) -> dict[str, Any]:
        """The figure."""
        dice, begin = random.Random(f"{seed} {self.name}"), time.monotonic()
        whole = self._home("whole")
        assert not died(whole, self.act, Fuse())
        steps = int((whole / "burnt").read_text())
        found = self.act.broken(whole / "home")
        ends: Counter[str] = Counter()
        landed = 0
        for number in range(kills):
            stretch = range(number * steps // kills, (number + 1) * steps // kills)
            at = dice.choice(stretch or [number % steps])
            home = self._home(str(number))
            landed += died(home, self.act, Fuse(at))
            found += [f"at step {at} of {steps}: {one}" for one in self.act.broken(home / "home")]
            ends[self.act.ended(home / "home")] += 1
            shutil.rmtree(home)
        told = {"soak": "act-kills", "act": self.name, "seed": seed, "holds": not found}
        told |= {"seconds": round(time.monotonic() - begin, 1), "kills": landed, "steps": steps}
        return told | {"ends": dict(ends), "broken": found[:10]}

    def _home(self, name: str) -> Path:
        """A folder with a home to do the act in."""
        made = self.folder / name
        if self.act.is_made_anew:
            made.mkdir()
            self.act.make(made / "home")
            return made
        template = self.folder / "template"
        if not template.exists():
            template.mkdir()
            self.act.make(template / "home")
        shutil.copytree(template, made)
        return made


def run(kills: int | None, seed: int, names: list[str]) -> int:
    """A series of each act; prints a line for each, and is 1 where a law does not hold."""
    wrong = 0
    for name in names:
        act = ACTS[name]
        with tempfile.TemporaryDirectory() as folder, act.standing():
            told = Series(Path(folder), name, act).run(kills or act.kills, seed)
        print(json.dumps(told), flush=True)
        wrong += not told["holds"]
    return int(wrong > 0)


def main() -> int:
    """Run it large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, help="of each; else as many as its series has")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--acts", nargs="+", choices=ACTS, default=list(ACTS))
    asked = parser.parse_args()
    return run(asked.kills, asked.seed, asked.acts)


if __name__ == "__main__":
    sys.exit(main())
