"""Running a command as `inland egress prove` does, and what became of it."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: A command that says that it has begun, and ends when a file `go` appears in its folder.
LOOKS = """
import os, sys
print("begun", flush=True)
while not os.path.exists(sys.argv[1] + "/go"):
    pass
"""


@dataclass
class Proved:
    """What became of a run."""

    code: int | None  # the command's; None where there is no evidence
    evidence: Path
    said: str

    @property
    def printed(self) -> str:
        return output(self.evidence).read_text()

    @property
    def facts(self) -> dict:
        told: dict = json.loads(self.evidence.read_bytes())["evidence"]
        return told


Prove = Callable[..., Proved]


def inland(*words: str, **more) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "inland", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, **more)


def output(evidence: Path) -> Path:
    return evidence.with_name(f"{evidence.name}.output")


def python(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)
