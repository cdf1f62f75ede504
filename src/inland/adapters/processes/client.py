"""`ports.Runner` over `run/supervisor.sock`: one connection, one request, one reply. Blocking."""

import socket
from pathlib import Path
from typing import Any

from inland import __version__
from inland.adapters.files.clock import SystemClock
from inland.adapters.processes.protocol import (
    LINE_LIMIT_BYTES,
    SPOKEN,
    demand_spoken,
    from_line,
    raised,
    spec_to,
    to_line,
    view_from,
)
from inland.domain.errors import Busy
from inland.ports.runner import EngineSpec, ProcessView

REPLY_LIMIT_S = 5.0
_CHUNK_BYTES = 65536
_RETRY_AFTER_S = 1
_PAUSE_S = 0.005


class SupervisorClient:
    """Asks the supervisor. Every call raises Busy when it cannot be reached or does not answer."""

    def __init__(self, path: Path, reply_limit_s: float = REPLY_LIMIT_S) -> None:
        self._path = path
        self._reply_limit_s = reply_limit_s

    def set_engines(self, specs: tuple[EngineSpec, ...]) -> None:
        """Make exactly these engines run. Idempotent; survives the caller's death."""
        self._ask({"op": "set_engines", "specs": [spec_to(spec) for spec in specs]})

    def end(self, names: tuple[str, ...]) -> None:
        """Kill these engines at once; gone when it returns. Raises Busy, too, where one is not."""
        lives = {(one.name, one.pid) for one in self.processes() if one.name in names and one.pid}
        if not lives:
            return
        self._ask({"op": "end", "names": list(names)})
        clock = SystemClock()
        until_s = clock.monotonic() + self._reply_limit_s
        while left := lives & {(one.name, one.pid) for one in self.processes()}:
            if clock.monotonic() > until_s:
                names_left = ", ".join(sorted(name for name, _ in left))
                raise Busy(f"{names_left} does not end though killed", _RETRY_AFTER_S)
            clock.sleep(_PAUSE_S)

    def report_ready(self, name: str, pid: int, inland: str | None = None) -> None:
        """Tell that the process `name` with `pid` works. Raises Conflict for a life that is over,
        NotFound for a name it does not know."""
        said = {} if inland is None else {"inland": inland}
        self._ask({"op": "report_ready", "name": name, "pid": pid, **said})

    def revive(self, name: str) -> None:
        """Start again a process that was given up. Raises NotFound, or Conflict when it was not."""
        self._ask({"op": "revive", "name": name})

    def processes(self) -> tuple[ProcessView, ...]:
        """Every process of the factory, the supervisor included."""
        return tuple(view_from(raw) for raw in self._ask({"op": "processes"})["processes"])

    def stop(self) -> None:
        """Ask the factory to stop; it has stopped when `run/lock` is free."""
        self._ask({"op": "stop"})

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        request = to_line({**message, "spoken": SPOKEN, "from": __version__})
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self._reply_limit_s)
                connection.connect(str(self._path))
                connection.sendall(request)
                line = _read_line(connection)
        except OSError as error:
            raise Busy(f"the supervisor does not answer ({error})", _RETRY_AFTER_S) from error
        if not line.endswith(b"\n"):
            raise Busy("the supervisor broke off its answer", _RETRY_AFTER_S)
        reply = from_line(line)
        if reply.get("ok") is not True:
            demand_spoken(reply, "the supervisor")
            raise raised(reply)
        return reply


def _read_line(connection: socket.socket) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < LINE_LIMIT_BYTES:
        chunk = connection.recv(_CHUNK_BYTES)
        if not chunk:
            break
        line += chunk
    return bytes(line)
