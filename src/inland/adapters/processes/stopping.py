"""A process that waits for its end: SIGTERM as something to wait for beside other things."""

import signal
import socket


def stop_signal() -> int:
    """A descriptor that becomes readable when SIGTERM comes."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)  # noqa: FBT003 - the standard library's own signature
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(writing.detach(), warn_on_full_buffer=False)
    return reading.detach()
