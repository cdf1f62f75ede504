"""Ports for servers that tests start: drawn before the server listens, and free until it does."""

import os
import random
import socket
from contextlib import suppress

#: Below those that the kernel gives to connections, which would be taken again before it is used.
#: Each process of a test run draws from as many of its own, so that no two draw the same.
FIRST, EACH, PROCESSES = 15_000, 1_000, 16


def free_port() -> int:
    """A TCP port that nothing listens on just now."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST + process % PROCESSES * EACH
    while True:
        port = random.randrange(first, first + EACH)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("0.0.0.0", port))
            return port
