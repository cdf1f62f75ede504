"""Ports for servers that tests start: drawn before the server listens, and free until it does."""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import cycle

#: Below those that the kernel gives to connections, which would be taken again before it is used.
#: Each process of a test run draws from as many of its own, so that no two draw the same.
FIRST, EACH, PROCESSES = 15_000, 1_000, 16


@cache
def _turns() -> Iterator[int]:
    """Of this process: none comes again before all others did."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST + process % PROCESSES * EACH
    return cycle(random.sample(range(first, first + EACH), EACH))


def free_port() -> int:
    """A TCP port that nothing listens on just now, and that was not drawn for another server."""
    while True:
        port = next(_turns())
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("0.0.0.0", port))
            return port
