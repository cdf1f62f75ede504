"""The supervisor's side of `run/supervisor.sock`. A request that makes no sense harms nobody."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any, Protocol, Self

from inland import __version__
from inland.adapters.isolation.peers import is_shut_in
from inland.adapters.processes.protocol import (
    LINE_LIMIT_BYTES,
    SPOKEN,
    demand_spoken,
    failure,
    from_line,
    spec_from,
    to_line,
    view_to,
)
from inland.domain.errors import BadInput, InlandError
from inland.ports.runner import Runner

#: How long one caller may take over its request or over reading its reply.
CALLER_LIMIT_S = 10.0
CALLERS_LIMIT = 64
#: What every reply says of us, and how much of a version is kept.
_OURS = {"spoken": SPOKEN, "from": __version__}
_SAID = 64


class Stoppable(Runner, Protocol):
    """A runner that can also be told to end with all it runs."""

    def stop(self) -> None:
        """Begin to stop."""
        ...


class SupervisorSocket:
    """Serves the requests of `protocol` on a socket that only its owner may open."""

    def __init__(self, path: Path, runner: Stoppable) -> None:
        self._path = path
        self._runner = runner
        self._callers = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._serve, self._path, limit=LINE_LIMIT_BYTES
            )
        finally:
            os.umask(before)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers += 1
        peer = writer.get_extra_info("socket")
        try:
            with contextlib.suppress(TimeoutError, OSError, ValueError):
                async with asyncio.timeout(CALLER_LIMIT_S):
                    if self._callers <= CALLERS_LIMIT and not is_shut_in(peer):
                        await self._converse(reader, writer)
        finally:
            self._callers -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if line:
            writer.write(to_line(self.answer(line)))
            await writer.drain()

    def answer(self, line: bytes) -> dict[str, Any]:
        """The reply to one request line."""
        try:
            return {"ok": True, **_OURS, **self._do(from_line(line))}
        except InlandError as error:
            return {**failure(error), **_OURS}
        except OSError as error:
            return {"ok": False, **_OURS, "why": str(error), "error": "OSError"}

    def _do(self, message: dict[str, Any]) -> dict[str, Any]:
        match message:
            case {"op": "processes"}:
                return {"processes": [view_to(view) for view in self._runner.processes()]}
            case {"op": "stop"}:
                self._runner.stop()
                return {}
            case _:
                demand_spoken(message, "whoever asks")
                self._change(message)
        return {}

    def _change(self, message: dict[str, Any]) -> None:
        match message:
            case {"op": "set_engines", "specs": list(specs)}:
                self._runner.set_engines(tuple(spec_from(spec) for spec in specs))
            case {"op": "end", "names": list(names)}:
                self._runner.end(tuple(str(name) for name in names))
            case {"op": "report_ready", "name": str(name), "pid": int(pid)}:
                inland = message.get("inland")
                self._runner.report_ready(name, pid, str(inland)[:_SAID] if inland else None)
            case {"op": "revive", "name": str(name)}:
                self._runner.revive(name)
            case _:
                raise BadInput("op", "is not a request the supervisor knows")
