"""The first process of the namespace, and the command: what each gives up before it begins.

The first one lives until all the others are gone: whoever outlives the command is waited for, and
what it sends is counted. Then it ends, and the kernel ends whatever is left.
"""

import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inland.adapters.isolation.core_dumps import are_handed_over, leave_no_core
from inland.adapters.isolation.network import loopback_up
from inland.adapters.silence import filter as calls
from inland.adapters.silence import kernel
from inland.adapters.silence.view import View, enter

#: How long the first process waits for a signal before it looks for itself.
_LOOK_S = 3600.0
HANDED_OVER = (
    "a program takes dumps here, and the limit on them is none, which does not keep it from them: "
    "set the hard limit on core to 1 or more"
)
#: What the command ends with when it could not be begun.
NOT_BEGUN = 127


@dataclass(frozen=True, slots=True)
class Command:
    """What is run: a program and its arguments, or a function in place of both."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    folder: Path
    run: Callable[[], None] | None = None


def live(
    view: View, command: Command, output: int, told: int, notes: socket.socket, wait_s: float
) -> None:
    """Make the first process, and be it: see `view`, run `command` with its `output` going there,
    tell how it ended. Never returns; who called this is its parent, and ends after it."""
    code = 1
    try:
        kernel.die_with_parent()
        kernel.leave_processes()
        first = os.fork()
        if first:
            _keep_only()
            os.waitpid(first, 0)
            return
        kernel.die_with_parent()
        kernel.be_private()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        _keep_only(output, told, notes.fileno())
        _leave_no_core()
        enter(view)
        _tell(told, _run(command, output, told, notes, wait_s))
        code = 0
    except OSError as error:
        _tell(told, {"why": f"the view could not be made: {error}"})
    finally:
        os._exit(code)


def _leave_no_core() -> None:
    leave_no_core()
    if are_handed_over():
        raise OSError(HANDED_OVER)


def _keep_only(*kept: int) -> None:
    """Close every descriptor but these; the three standard ones lead nowhere."""
    nowhere = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for standard in range(3):
        os.dup2(nowhere, standard)
    first = 3
    for one in sorted(kept):
        os.closerange(first, one)
        first = one + 1
    os.closerange(first, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _tell(told: int, facts: dict[str, object]) -> None:
    os.write(told, json.dumps(facts).encode())


def _run(
    command: Command, output: int, told: int, notes: socket.socket, wait_s: float
) -> dict[str, object]:
    child = os.fork()
    if child == 0:
        os.close(told)
        _become(command, output, notes)
    notes.close()
    os.close(output)
    status, until = None, float("inf")
    while (ended := _wait(until)) is not None:
        if ended[0] == child:
            status, until = os.waitstatus_to_exitcode(ended[1]), time.monotonic() + wait_s
    return {"status": status, "left": _left()}


def _wait(until: float) -> tuple[int, int] | None:
    """A child that ended and how; None where there is none any more, or it is too late."""
    while True:
        try:
            found, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if found:
            return found, status
        left_s = until - time.monotonic()
        if left_s <= 0:
            return None
        signal.sigtimedwait({signal.SIGCHLD}, min(left_s, _LOOK_S))


def _left() -> int:
    """Processes besides this one."""
    return sum(entry.name.isdigit() for entry in Path("/proc").iterdir()) - 1


def _become(command: Command, output: int, notes: socket.socket) -> None:
    try:
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(command.folder)
        os.umask(0o077)
        kernel.drop_capabilities()
        listener = calls.install()
        socket.send_fds(notes, [b"notes"], [listener])
        os.close(listener)
        notes.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        if command.run is not None:
            command.run()
            os._exit(0)
        program, environment = command.argv[0], command.environment
        os.execve(program, command.argv, environment)  # noqa: S606 - no shell
    except OSError as error:
        os.write(2, f"inland: {error}\n".encode())
    finally:
        os._exit(NOT_BEGUN)


def leave() -> None:
    """Before any of it is made: namespaces of its own, their loopback up. Raises OSError."""
    kernel.die_with_parent()
    kernel.leave_everything()
    loopback_up()
    sys.stdout.flush()
