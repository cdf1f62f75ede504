"""What was let go of is gone in small pieces too: those of Python's pools, and those at hand."""

import os
import subprocess
import sys
from pathlib import Path

from tests import memory_scan

#: Whatever it is given, in objects of each size that anybody keeps apart, which it then lets go of.
PIECES = """
import os, sys
from inland.adapters.memory.freed import give_up_freed, overwrite_freed
overwrite_freed()
file = os.open(sys.argv[1], os.O_RDONLY)
def read():
    return [os.read(file, size) for size in range(40, 1040, 8) for _ in range(8)]
def held():
    pieces, kept = read(), read()
    kept = kept[::3]
    print("held", flush=True)
    return [bytes(len(one)) for one in kept]
kept = held()
os.read(0, 1)
give_up_freed()
print("given up", flush=True)
os.read(0, 1)
"""
SENT = 2 * sum(8 * size for size in range(40, 1040, 8))


def test_nothing_that_was_let_go_of_stays_in_small_pieces(tmp_path: Path) -> None:
    canary = os.urandom(32)
    given = tmp_path / "given"
    given.write_bytes((canary * (SENT // len(canary) + 1))[:SENT])
    argv = [sys.executable, "-c", PIECES, str(given)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        assert memory_scan.holding(canary, [child.pid]), "what was freed is there still"
        child.stdin.write(b"\n")
        assert child.stdout.readline() == b"given up\n"
        assert not memory_scan.holding(canary, [child.pid])
        child.stdin.write(b"\n")
        child.wait()
