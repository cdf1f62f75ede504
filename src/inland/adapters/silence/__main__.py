"""`python -m inland.adapters.silence`: what is asked comes on standard input, what was found goes
to standard output, and the command's output to the descriptor that is named."""

import json
import sys
from pathlib import Path

from inland.adapters.silence.cage import Command
from inland.adapters.silence.keeper import facts, keep
from inland.adapters.silence.view import View


def _paths(names: list[str]) -> tuple[Path, ...]:
    return tuple(map(Path, names))


def main() -> None:
    """Do what is asked, once."""
    asked = json.loads(sys.stdin.buffer.read())
    readable, writable, hidden = (
        _paths(asked[name]) for name in ("readable", "writable", "hidden")
    )
    seen = View(readable, writable, hidden)
    command = Command(tuple(asked["argv"]), asked["environment"], Path(asked["folder"]))
    found = keep(seen, command, asked["output"], asked["output_bytes"], asked["wait_s"])
    sys.stdout.buffer.write(facts(found))


main()
