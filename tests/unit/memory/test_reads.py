"""What a loop read last is overwritten: uvloop keeps one buffer for all that it reads."""

import socket
import subprocess
import sys

from tests import memory_scan

CANARY = b"canary-that-was-read-4e81"
#: A loop that reads what comes and keeps nothing of it, until it is told to overwrite it.
READS = """
import asyncio, socket, sys, threading, uvloop
from inland.adapters.memory.freed import give_up_freed, overwrite_freed
from inland.adapters.memory.reads import Reads
overwrite_freed()
reads = Reads()
class Taker(asyncio.Protocol):
    def eof_received(self):
        print("read", flush=True)
        return True
async def main():
    reads.follow()
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    def overwrite():
        sys.stdin.readline()
        give_up_freed()
        reads.overwrite()
        print("overwritten", flush=True)
        sys.stdin.readline()
        loop.call_soon_threadsafe(over.set)
    await loop.create_connection(Taker, sock=socket.socket(fileno=int(sys.argv[1])))
    threading.Thread(target=overwrite).start()
    await over.wait()
uvloop.run(main())
"""


def test_nothing_of_what_a_loop_read_stays_in_its_memory() -> None:
    ours, theirs = socket.socketpair()
    argv = [sys.executable, "-c", READS, str(theirs.fileno())]
    pipe = subprocess.PIPE
    with (
        ours,
        subprocess.Popen(argv, pass_fds=[theirs.fileno()], stdin=pipe, stdout=pipe) as child,
    ):
        theirs.close()
        assert child.stdin is not None
        assert child.stdout is not None
        ours.sendall(CANARY * 40_000)
        ours.shutdown(socket.SHUT_WR)
        assert child.stdout.readline() == b"read\n"
        assert memory_scan.holding(CANARY, [child.pid]), "nothing that could be overwritten"
        child.stdin.write(b"\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"overwritten\n"
        assert memory_scan.holding(CANARY, [child.pid]) == set()
        child.stdin.write(b"\n")
        child.stdin.close()
    assert child.returncode == 0
