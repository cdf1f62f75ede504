"""What a supervisor tells whoever started it: that it holds the home and the port, or why not."""

import json
import os
import selectors
import time
from dataclasses import dataclass

#: One line, newline included.
REPORT_LIMIT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Started:
    """What a supervisor tells once it holds the lock and the port and has started its children."""

    pid: int
    start: int
    port: int


def read_report(fd: int, limit_s: float) -> Started | str:
    """What a supervisor told on the other end of `fd`, or why there is none within `limit_s`."""
    data, deadline_s = b"", time.monotonic() + limit_s
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while not data.endswith(b"\n"):
            if not selector.select(max(0.0, deadline_s - time.monotonic())):
                return f"the supervisor said nothing within {limit_s:.0f} s"
            piece = os.read(fd, REPORT_LIMIT_BYTES)
            if not piece or len(data) > REPORT_LIMIT_BYTES:
                return "the supervisor ended at once; see logs/supervisor.log"
            data += piece
    told = json.loads(data)
    if told.pop("ok"):
        return Started(**told)
    return str(told["why"])
