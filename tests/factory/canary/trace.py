"""strace on a command and all that comes of it: each call that could put bytes somewhere.

What it writes down holds the canaries, so it lies in memory (`/dev/shm`) and is gone afterwards.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.patience import until

#: Where nothing rests: a tmpfs.
MEMORY = Path("/dev/shm")  # noqa: S108 - no name in it is guessed
#: Bytes of one call that are written down; of longer ones the checker says that it was cut.
STRING_BYTES = 6 << 20
#: What a strace may take to end once all it follows have.
WRITES = "write,pwrite64,writev,pwritev,pwritev2"
#: Bytes that go from one descriptor to another without passing through the process.
CARRIES = "sendfile,copy_file_range,splice,tee,vmsplice"
SENDS = "connect,sendto,sendmsg,sendmmsg"
#: Names and attributes rest on a disk too.
NAMES = (
    "open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,link,linkat,"
    "symlink,symlinkat,setxattr,lsetxattr,fsetxattr"
)
#: What no list of calls sees into.
BLIND = "io_uring_setup,ptrace,process_vm_writev,swapon"
CALLS = f"{WRITES},{CARRIES},{SENDS},{NAMES},{BLIND},mmap"
_LINE = re.compile(r"([a-z_0-9]+)\((.*)\Z", re.DOTALL)
_HEX = re.compile(r"(?:\\x[0-9a-f]{2})+")


@dataclass(frozen=True, slots=True)
class Call:
    """A system call: the process (or thread) it was of, its name, its arguments as written down."""

    pid: int
    name: str
    text: str


class Trace:
    """One folder in memory; `words` go before each command that is followed.

    Without `rings` whoever asks for an io_uring is told that the kernel has none, and makes calls
    that are seen: libuv asks for one, to tell epoll of its descriptors by it.
    """

    def __init__(self, *, rings: bool = False) -> None:
        self._refused = [] if rings else ["-e", "inject=io_uring_setup:error=ENOSYS"]
        self._folder = Path(tempfile.mkdtemp(prefix="inl-trace-", dir=MEMORY))
        self._number = 0

    def words(self) -> list[str]:
        """What to run a command with: it is strace's parent, and ends as it would without."""
        self._number += 1
        out = self._folder / f"{self._number}"
        argv = ["strace", "-D", "-ff", "-qq", "-y", "-xx", "-s", str(STRING_BYTES), "--seccomp-bpf"]
        argv += ["-e", f"trace={CALLS}", "-e", "signal=none", *self._refused]
        return [*argv, "-o", str(out)]

    def calls(self) -> Iterator[Call]:
        """All calls of all commands, each process's in order."""
        for path in sorted(self._folder.iterdir()):
            pid = int(path.suffix[1:])
            with path.open(encoding="latin-1") as lines:
                for line in lines:
                    match = _LINE.match(line.rstrip("\n"))
                    if match is not None:
                        yield Call(pid, match[1], match[2])

    def settle(self) -> None:
        """Wait until no strace writes any more."""
        until(lambda: not self._is_written(), "a strace does not end")

    def _is_written(self) -> bool:
        mark = str(self._folder)
        listed = subprocess.run(
            ["ps", "-eo", "comm,args"], capture_output=True, text=True, check=True
        )
        return any(
            line.startswith("strace") and mark in line for line in listed.stdout.splitlines()
        )

    def close(self) -> None:
        """Forget all of it."""
        shutil.rmtree(self._folder, ignore_errors=True)


def unescaped(text: str) -> bytes:
    """The bytes of what strace wrote in hex."""
    return bytes.fromhex(text.replace("\\x", ""))


def readable(text: str) -> str:
    """A path or an argument as people know it."""
    return _HEX.sub(lambda found: unescaped(found[0]).decode("utf-8", "backslashreplace"), text)
