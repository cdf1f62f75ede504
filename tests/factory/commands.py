"""Commands of `inland` without loading Python anew for each: a process that has loaded them forks.

Each command still is a process of its own, with its own arguments, environment, streams and end.
What starts the program itself (`test_up`, `test_wheel`) does so without this.
"""

import atexit
import gc
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

_REQUEST_BYTES = 1 << 16
_KEEPER = Path(__file__)


@cache
def _keeper() -> socket.socket:
    """To the one of this process, which ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        argv = [sys.executable, "-P", str(_KEEPER), str(theirs.fileno())]
        kept = subprocess.Popen(argv, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], cwd="/")

    def end() -> None:
        ours.close()
        kept.wait()

    atexit.register(end)
    return ours


def run(
    words: list[str], environment: dict[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` of `inland WORDS`, its output captured. Raises TimeoutExpired."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        asked = {"words": words, "environment": environment, "folder": str(Path.cwd())}
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                fds = [out.fileno(), err.fileno(), theirs.fileno()]
                socket.send_fds(_keeper(), [json.dumps(asked).encode()], fds)
            ours.settimeout(timeout_s)
            code = _ended(ours, words, timeout_s)
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode())
    return subprocess.CompletedProcess(words, code, *said)


def _ended(told: socket.socket, words: list[str], timeout_s: float) -> int:
    """The status of the command that tells its pid first."""
    with told.makefile() as lines:
        pid = int(lines.readline())
        try:
            return int(lines.readline())
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(words, timeout_s) from None


def _keep(asked: socket.socket) -> None:
    """Fork for each request. Returns in the command's own process, all set, or at the end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        data, fds, _, _ = socket.recv_fds(asked, _REQUEST_BYTES, 3)
        if not data:
            os._exit(0)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asked.close()
            _attend(json.loads(data), *fds)
            return
        for fd in fds:
            os.close(fd)


def _attend(request: dict[str, Any], out: int, err: int, told: int) -> None:
    """Returns in the process of the command; the one that waits for it tells of its end."""
    pid = os.fork()
    if pid != 0:
        os.write(told, f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        os.write(told, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.closerange(3, max(out, err, told) + 1)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv = [str(Path(sys.executable).with_name("inland")), *request["words"]]
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - as a start opens them
    sys.stderr = open(2, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115


def _load() -> None:
    """What commands load, once: what Typer and the client load in a command of their own too."""
    import inland.bootstrap.books
    import inland.bootstrap.models
    import inland.client  # noqa: F401
    from inland.cli.app import app

    with redirect_stdout(io.StringIO()):
        app(["tenant", "list", "--help"], standalone_mode=False)
    gc.collect()
    gc.freeze()


def _command() -> int:
    """The program's own `main`, to its end; its status."""
    from inland.cli import main

    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def main() -> None:
    """Load, then be each command that is asked for."""
    _load()
    _keep(socket.socket(fileno=int(sys.argv[1])))
    code = _command()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # to take all that was loaded apart again takes as long as most commands


if __name__ == "__main__":
    main()
