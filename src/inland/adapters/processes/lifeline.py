"""A child's tie to its supervisor: the kernel kills it when that ends, whatever it is doing then.

The kernel tells of ends to come only. For one that came before there is a pipe nobody writes to:
it is closed by then. What a child had not made durable was not acknowledged, so ending without
ceremony is safe.
"""

import os
import select
import signal

from inland.adapters.silence.kernel import die_with_parent

#: Exit status of a child whose supervisor was gone before it began.
ORPHANED = 75


def end_with_supervisor(fd: int, by: signal.Signals = signal.SIGKILL) -> None:
    """From here on this process gets the signal `by` when the thread that started it ends.

    `fd`: the pipe's reading end; where it is closed already this process exits at once.
    """
    die_with_parent(by)
    closed = select.poll()
    closed.register(fd, select.POLLIN)
    if closed.poll(0):
        os._exit(ORPHANED)
