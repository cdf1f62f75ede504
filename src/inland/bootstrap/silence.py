"""Proving silence: what a command may see, who keeps it, and the evidence it comes to."""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inland import __version__
from inland.adapters.files.disk import Disk
from inland.adapters.silence import canary
from inland.adapters.silence.view import PRIVATE, SYSTEM, beside, followed, outermost
from inland.adapters.weights.digest import file_sha256
from inland.bootstrap.books import log_keys
from inland.domain.errors import BadInput, InlandError, NotFound
from inland.ledger import evidence, notes
from inland.plant.books import keys
from inland.settings import Settings

#: What is kept of a command's output, and what is said of it when there is no evidence.
OUTPUT_BYTES = 64 * 1024 * 1024
_FOUND_BYTES = 1 << 22
_ROOT = Path("/")
#: Where a command's own files lie when it is given no folder.
_TEMPORARY = PRIVATE[0]

#: What is closed, each with how. All of it holds whenever there is evidence.
CLOSED = {
    "network": "a namespace of loopback alone, to which every IPv4 and IPv6 address leads; frames "
    "to other addresses than loopback's are counted, and questions to name servers there",
    "name-service": "its only name server is an address kept for documentation",
    "descriptors": "none inherited; input is empty, output and errors are a pipe into a file",
    "files": "those named as readable, read only, and new empty ones; no others are there",
    "unix-sockets": "none of others in the view; abstract ones are those of its network namespace",
    "pipes-and-devices": "none of others in the view but null, zero, full, random and urandom",
    "shared-memory": "its own, and queues and semaphores of System V and POSIX",
    "processes": "a namespace of its own, waited for and ended: nobody outside is seen, signalled "
    "or traced, and nobody outlives it",
    "terminal": "none",
    "vsock": "refused by a filter of system calls, and counted",
    "raw-and-packet-sockets": "refused by that filter, and counted",
    "other-socket-families": "refused by that filter, and counted",
    "other-protocols": "than ICMP, TCP, UDP and MPTCP refused by that filter, and counted: each "
    "loads a module, which the machine sees",
    "bridges-and-vlans": "requests of sockets for them refused by that filter, and counted: each "
    "loads a module",
    "setns": "refused by that filter, and counted",
    "netlink": "routes of its own namespace alone",
    "io-uring": "refused by that filter",
    "mounts": "refused by that filter, those in namespaces of its own too",
    "others-descriptors": "pidfd_getfd, fanotify and userfaultfd are refused by that filter",
    "core-dumps": "none goes to a file or to a program, and the limit that says so stays as it is",
    "served-files": "it reads and writes disks and memory of this machine; what another machine or "
    "process serves below what may be read (`covered`) is empty",
    "made-and-removed": "folders it may read are watched (but for `unwatched_folders` that root "
    "alone writes into): nobody made a socket, pipe or device there, for however short a time",
    "kernel-keyrings": "refused by that filter",
    "bpf-and-perf": "refused by that filter",
    "capabilities": "none, and no program gives any",
    "kernel-settings": "/proc/sys and its like are read only",
    "clocks": "the machine's are not set, and no time of reading is noted with a file",
}
#: What is not closed, and is for the reader to weigh.
OPEN = {
    "files-left": "what is in its writable folder, meanwhile and after, and what it printed "
    "stays with who ran it",
    "layers-and-disks": "a disk, or the layers of a file system, may be reached by a network",
    "load": "others on the machine notice how busy it is, which plain files it opens, reads and "
    "locks, and who maps one of them may be woken by it (futex)",
    "kernel-log": "of a process that faults the machine's kernel may tell in its log, with what it "
    "calls itself and an address (unless debug.exception-trace is 0)",
    "names": "the machine's list of processes shows what its processes call themselves",
    "own-networks": "a network namespace that it makes for itself has no interface and no way out: "
    "what is tried there is not counted, nor which modules of networks it has the kernel load",
}


@dataclass
class NotSilent(InlandError):
    """It sent something, or tried to; there is no evidence. `status`: what it ended with."""

    why: str

    def __str__(self) -> str:
        return f"no evidence: {self.why}"


@dataclass(frozen=True, slots=True)
class Asked:
    """`read`: files and folders it may read besides the system's and its own program's.
    `scratch`: a new or empty folder that it may write. `pass_on`: names of the environment."""

    argv: tuple[str, ...]
    output: Path
    read: tuple[Path, ...] = ()
    scratch: Path | None = None
    pass_on: tuple[str, ...] = ()
    wait_s: float = 10.0


def prove(home: Path, asked: Asked, settings: Settings) -> tuple[bytes, dict[str, Any]]:
    """Run it; the evidence, signed, and what it says. Raises NotSilent, BadInput, NotFound.

    The command's output lies in `asked.output`, whatever came of it.
    """
    name, key = _signer(home)
    spec, files = _spec(home, asked, settings)
    facts = {
        "command": [_text(one) for one in asked.argv],
        "executable": {"path": spec["argv"][0], "sha256": file_sha256(Path(spec["argv"][0]))},
        "files": {str(path): file_sha256(path) for path in files},
        "folder": spec["folder"],
        "environment": sorted(spec["environment"]),
        "readable": spec["readable"],
        "writable": spec["writable"],
        "private": [str(path) for path in PRIVATE],
        "hidden": spec["hidden"],
        "closed": CLOSED,
        "open": OPEN,
        "kernel": f"{platform.release()} {platform.version()} {platform.machine()}",
        "inland": __version__,
    }
    found = _kept(spec, asked.output)
    if why := _not_silent(found):
        raise NotSilent(why)
    facts |= {
        "masked": [_text(one) for one in found["masked"]],
        "covered": [_text(one) for one in found["covered"]],
        "unwatched_folders": found["unwatched_folders"],
        "canary": found["canary"],
        "sent": dict.fromkeys((*canary.FRAMES, *canary.REFUSED), 0),
        "network_namespaces": found["networks"],
        "left_behind": found["left"],
        "output": {
            "bytes": found["output_bytes"],
            "kept_bytes": found["output_kept_bytes"],
            "sha256": found["output_sha256"],
        },
        "left_in_folder": _left_in(asked.scratch),
        "began_unix_us": found["began_unix_us"],
        "ended_unix_us": found["ended_unix_us"],
        "exit_status": found["status"],
    }
    return evidence.sign(facts, name, key.sign, keys.public_bytes(key)), facts


def verify(data: bytes, vkeys: Sequence[str]) -> evidence.Silence:
    """The evidence, by whichever of the keys it names. Raises Malformed."""
    name = evidence.key_name(data)
    ours = [one for one in vkeys if notes.parse_vkey(one).name == name] or list(vkeys[-1:])
    if not ours:
        raise NotFound(f"key of {name}: give it with --vkey")
    return evidence.verify(data, ours[-1])


def _signer(home: Path) -> tuple[str, Any]:
    """The log's name and its private key."""
    key = keys.kept_key(Disk(home))
    public = keys.public_bytes(key)
    for log in reversed(log_keys(home)):
        parsed = notes.parse_vkey(log["vkey"])
        if parsed.public_key == public:
            return parsed.name, key
    raise NotFound(f"log signed by the key in {home}; start the factory once")


def _spec(home: Path, asked: Asked, settings: Settings) -> tuple[dict[str, Any], list[Path]]:
    """What the keeper is told, and the files among the command's arguments."""
    program = shutil.which(asked.argv[0], path=settings.child_environment.get("PATH"))
    if program is None:
        raise NotFound(f"program {asked.argv[0]!r}")
    executable = Path(program).absolute()
    files = sorted({path for one in asked.argv[1:] if (path := _file(one)) is not None})
    folder, scratch = Path.cwd(), _scratch(asked.scratch)
    mine = scratch or _TEMPORARY
    read = [*map(_given, asked.read), executable, *files]
    read += [Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[2]]
    if _is_ordinary(folder, settings):
        read.append(folder)
    if settings.cache.is_dir():
        read.append(settings.cache)
    readable = outermost(followed(read))
    environment = {
        **{k: v for k, v in settings.child_environment.items() if k != "VIRTUAL_ENV"},
        **{k: settings.environment[k] for k in asked.pass_on if k in settings.environment},
        "HOME": str(mine),
        "TMPDIR": str(mine),
        "INLAND_CACHE": str(settings.cache),
        "INLAND_SCRATCH": str(mine),
    }
    spec = {
        "readable": [str(path) for path in (*SYSTEM, *outermost(beside(readable)))],
        "writable": [str(scratch)] if scratch else [],
        "hidden": [str(home.resolve())],
        "argv": [str(executable), *asked.argv[1:]],
        "environment": environment,
        "folder": str(folder if any(folder.is_relative_to(one) for one in readable) else mine),
        "output_bytes": OUTPUT_BYTES,
        "wait_s": asked.wait_s,
    }
    return spec, files


def _file(argument: str) -> Path | None:
    """A plain file that an argument names."""
    with contextlib.suppress(OSError, ValueError):
        path = Path(argument).absolute()
        if path.is_file():
            return path
    return None


def _given(path: Path) -> Path:
    found = path.expanduser().absolute()
    if not found.exists():
        raise NotFound(f"file or folder {path}")
    if not (found.is_dir() or found.is_file()):
        raise BadInput("--read", f"{found} is a socket, pipe or device: name files and folders")
    own = (*PRIVATE, Path("/proc"), Path("/sys"))
    if any(one.is_relative_to(to) for one in own for to in (found, found.resolve())):
        raise BadInput("--read", f"{found} is the command's own there: name what in it is needed")
    return found


def _is_ordinary(folder: Path, settings: Settings) -> bool:
    """Whether a folder to work in is neither somebody's home nor what the view has of its own."""
    user = Path(settings.environment.get("HOME") or _ROOT).resolve()
    apart = (*PRIVATE, user, Path("/proc"), Path("/sys"), Path("/dev"))
    return not any(one.is_relative_to(folder) for one in apart)


def _scratch(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    found = folder.expanduser().absolute()
    found.mkdir(mode=0o700, exist_ok=True)
    if any(found.iterdir()):
        raise BadInput("--scratch", f"{found} is not empty: give a new or an empty folder")
    return found.resolve()


def _kept(spec: dict[str, Any], output: Path) -> dict[str, Any]:
    """What the keeper found. It is a process of its own: one thread, and no descriptor of ours."""
    with _written(output) as file:
        told = {**spec, "output": file}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "inland.adapters.silence"],
            input=json.dumps(told).encode(),
            capture_output=True,
            pass_fds=[file],
            check=False,
        )
    if done.returncode != 0 or not done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise NotSilent(f"the process that counts ended ({' '.join(said) or done.returncode})")
    found: dict[str, Any] = json.loads(done.stdout[:_FOUND_BYTES])
    return found


@contextlib.contextmanager
def _written(path: Path) -> Iterator[int]:
    """A new file that only its user reads, in place of any before it."""
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _not_silent(found: dict[str, Any]) -> str:
    """Why there is no evidence; empty where there is."""
    if found["why"]:
        return str(found["why"])
    parts = []
    if found["frames"]:
        count = sum(found["frames"].values())
        parts.append(
            f"it sent {count} packets ({_counted(found['frames'])}), first to {found['first']}"
        )
    if found["refused"]:
        parts.append(f"it tried what is refused ({_counted(found['refused'])})")
    if found["left"]:
        parts.append(f"{found['left']} of its processes had not ended when it had (see --wait-s)")
    return "; ".join(parts)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _left_in(folder: Path | None) -> dict[str, int]:
    files = [path for path in folder.rglob("*") if path.is_file()] if folder else []
    return {"files": len(files), "bytes": sum(path.lstat().st_size for path in files)}


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode()
