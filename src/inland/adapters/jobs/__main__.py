"""The process that keeps a job's command: `python -m inland.adapters.jobs`, its spec on stdin.

It leaves everything of the machine, makes the first process of a namespace and waits for it; told
to end, it kills that one, the kernel ends all the others with it, and only then it ends itself.
"""

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from inland.adapters.isolation.core_dumps import leave_no_core
from inland.adapters.jobs.spec import ASK, ASSETS, OWN, CellSpec
from inland.adapters.silence import filter as calls
from inland.adapters.silence import kernel
from inland.adapters.silence.view import SYSTEM, View, enter, mounted, special
from inland.domain.errors import InlandError

#: What the command ends with when it could not be begun.
NOT_BEGUN = 127
#: What the first process waits for, and how often it looks at what all hold, in seconds.
_AWAITED, LOOK_S = frozenset({signal.SIGCHLD, signal.SIGTERM}), 0.25


def main() -> int:
    """Keep one command until it is gone."""
    spec = CellSpec(**json.loads(sys.stdin.buffer.read()))
    os.umask(0o077)
    try:
        leave_no_core()
        kernel.leave_everything()
        kernel.die_with_parent()
        if os.getppid() != spec.parent:
            return NOT_BEGUN
        view = _view(spec)
        kernel.leave_processes()
        first = os.fork()
    except (InlandError, OSError) as error:
        _tell(spec.told, {"why": f"it could not be shut in: {error}"})
        return NOT_BEGUN
    if first == 0:
        _be_first(spec, view)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGKILL))
    signal.signal(ASK, lambda *_: os.kill(first, signal.SIGTERM))
    os.waitpid(first, 0)  # returns when the namespace is empty
    return 0


def _view(spec: CellSpec) -> View:
    """Sockets and devices that it was given, or mounted where it reads, are not there for it."""
    readable = tuple(Path(path) for path in spec.readable)
    hidden = tuple(Path(path) for path in spec.hidden)
    given = special((Path(path) for path in spec.given), without=hidden)
    masked = tuple({*given, *mounted((*SYSTEM, *readable), hidden)})
    return View(readable, hidden=hidden, masked=masked, private_bytes=spec.memory_bytes)


def _be_first(spec: CellSpec, view: View) -> NoReturn:
    """The first process of the namespace: sees the view, begins the command, waits for it."""
    code = 1
    try:
        kernel.die_with_parent()
        signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
        _keep_only(spec.told, *spec.files.values())
        enter(view)
        _place(spec.files)
        command = os.fork()
        if command == 0:
            _become(spec)
        kernel.be_private()
        _tell(spec.told, _awaited(command, spec.memory_bytes))
        code = 0
    except OSError as error:
        _tell(spec.told, {"why": f"it could not be shut in: {error}"})
    finally:
        os._exit(code)


def _keep_only(*kept: int) -> None:
    """Close every descriptor but these, and what it prints; there is nothing to read."""
    nowhere = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nowhere, 0)
    begin = 3
    for one in sorted(kept):
        os.closerange(begin, one)
        begin = one + 1
    os.closerange(begin, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _place(files: dict[str, int]) -> None:
    """Names for the memory files, in memory themselves."""
    folder = Path(ASSETS)
    folder.mkdir(mode=0o700)
    for asset, descriptor in files.items():
        (folder / asset).symlink_to(f"/proc/self/fd/{descriptor}")


def _become(spec: CellSpec) -> NoReturn:
    try:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
        resource.setrlimit(resource.RLIMIT_DATA, (spec.memory_bytes, spec.memory_bytes))
        os.close(spec.told)
        for descriptor in spec.files.values():
            os.set_inheritable(descriptor, True)  # noqa: FBT003 - its one argument
        os.chdir(OWN)
        _take_place(spec)
        kernel.drop_capabilities()
        if spec.filtered:
            calls.hold()
        os.execve(spec.argv[0], spec.argv, spec.environment)  # noqa: S606 - no shell
    except OSError as error:
        os.write(2, f"inland: {error}\n".encode())
    finally:
        os._exit(NOT_BEGUN)


def _take_place(spec: CellSpec) -> None:
    """Where it runs, and how far it gives way: to others of its session's group too, where the
    kernel shares processors out among sessions."""
    if spec.cores:
        os.sched_setaffinity(0, spec.cores)
    if spec.nice:
        nice = os.nice(spec.nice)
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(f"{nice}\n")


def _awaited(command: int, memory_bytes: int) -> dict[str, object]:
    """How the command ended; whoever it left behind ends with this process. Asked to end, it and
    all of its group are told; where all together hold too much, they end."""
    while True:
        caught = signal.sigtimedwait(_AWAITED, LOOK_S)
        if caught is not None and caught.si_signo == signal.SIGTERM:
            with suppress(ProcessLookupError):
                os.killpg(command, signal.SIGTERM)
        if (status := _ended(command)) is not None:
            return {"status": status}
        if (held := held_bytes(Path("/proc"), memory_bytes)) > memory_bytes:
            return {"why": f"it held {held} bytes of memory, and limits.job_memory_bytes is less"}


def _ended(command: int) -> int | None:
    """Take in all that ended; how the command did, where it was among them."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == command:
                return os.waitstatus_to_exitcode(ended[1])
    return None


def held_bytes(proc: Path, most: int) -> int:
    """What all processes hold of memory that is theirs: files and what is shared apart. Where that
    is beyond `most`, what a fork left to several is counted once: it takes longer to find out."""
    held = sum(_resident_bytes(one) for one in proc.glob("[0-9]*/statm"))
    return held if held <= most else sum(map(_own_bytes, proc.glob("[0-9]*/smaps_rollup")))


def _resident_bytes(statm: Path) -> int:
    with suppress(OSError):  # it ended meanwhile
        _, resident, shared, *_ = map(int, statm.read_text().split())
        return max(0, resident - shared) * resource.getpagesize()
    return 0


def _own_bytes(rollup: Path) -> int:
    with suppress(OSError):
        for line in rollup.read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) * 1024
    return 0


def _tell(told: int, facts: dict[str, object]) -> None:
    os.write(told, json.dumps(facts).encode())


if __name__ == "__main__":
    os._exit(main())  # whoever ends it waits for this, and there is nothing to tidy up
