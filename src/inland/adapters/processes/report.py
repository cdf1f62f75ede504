"""How a supervisor tells whoever started it that it holds the home and the port, or why not."""

import json
import os
import selectors
import sys
import time
from contextlib import suppress
from dataclasses import asdict

from inland.adapters.processes.supervisor import Config, Started, run
from inland.domain.errors import InlandError

_LIMIT_BYTES = 4096
FAILED = 1


def run_reporting(config: Config, report_fd: int | None) -> int:
    """Run a supervisor to its end; its exit status. One line goes to `report_fd`, or why it cannot
    start to standard error."""

    def started(told: Started) -> None:
        _tell(report_fd, {"ok": True, **asdict(told)})

    try:
        run(config, started)
    except (InlandError, OSError) as error:
        print(f"inland: {error}", file=sys.stderr)  # noqa: T201 - the log of a process of its own
        _tell(report_fd, {"ok": False, "why": str(error)})
        return FAILED
    return 0


def read_report(fd: int, limit_s: float) -> Started | str:
    """What a supervisor told on the other end of `fd`, or why there is none within `limit_s`."""
    data, deadline_s = b"", time.monotonic() + limit_s
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while not data.endswith(b"\n"):
            if not selector.select(max(0.0, deadline_s - time.monotonic())):
                return f"the supervisor said nothing within {limit_s:.0f} s"
            piece = os.read(fd, _LIMIT_BYTES)
            if not piece or len(data) > _LIMIT_BYTES:
                return "the supervisor ended at once; see logs/supervisor.log"
            data += piece
    told = json.loads(data)
    if told.pop("ok"):
        return Started(**told)
    return str(told["why"])


def _tell(fd: int | None, message: dict[str, object]) -> None:
    if fd is None:
        return
    with suppress(OSError):
        os.write(fd, json.dumps(message).encode()[: _LIMIT_BYTES - 1] + b"\n")
    with suppress(OSError):
        os.close(fd)
