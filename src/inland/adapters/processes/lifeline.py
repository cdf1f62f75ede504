"""A child's tie to its supervisor: a pipe nobody writes to. When it closes, the child ends at once.

What the child had not made durable was not acknowledged, so ending without ceremony is safe.
"""

import os
import threading

#: Exit status of a child whose supervisor is gone.
ORPHANED = 75


def exit_when_closed(fd: int, status: int = ORPHANED) -> threading.Thread:
    """Watch `fd` on a daemon thread; when its other end closes this process exits with `status`."""
    thread = threading.Thread(target=_watch, args=(fd, status), name="lifeline", daemon=True)
    thread.start()
    return thread


def _watch(fd: int, status: int) -> None:
    while True:
        try:
            if os.read(fd, 1) == b"":
                break
        except InterruptedError:
            continue
        except OSError:
            break
    os._exit(status)
