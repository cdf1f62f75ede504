"""A supervisor as a process: runs it, and tells whoever started it how that went."""

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict

from inland.adapters.processes.started import REPORT_LIMIT_BYTES, Started
from inland.adapters.processes.supervisor import Config, run
from inland.domain.errors import InlandError

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


def _tell(fd: int | None, message: dict[str, object]) -> None:
    if fd is None:
        return
    with suppress(OSError):
        os.write(fd, json.dumps(message).encode()[: REPORT_LIMIT_BYTES - 1] + b"\n")
    with suppress(OSError):
        os.close(fd)
