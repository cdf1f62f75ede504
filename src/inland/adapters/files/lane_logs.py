"""Logs of lanes, where somebody asked for them: a file for each lane and each life of a gateway.

They are written while the folder `logs/admission` is there when a gateway starts. A line is one
write, so what a kill leaves is whole lines.
"""

import os
from collections.abc import Callable
from pathlib import Path


def lane_logs(home: Path, writer: str) -> Callable[[str], Callable[[bytes], None]] | None:
    """What opens a lane's log, by its deployment; None where nobody asked for logs."""
    folder = home / "logs" / "admission"
    if not folder.is_dir():
        return None

    def opened(deployment: str) -> Callable[[bytes], None]:
        path = folder / f"{writer}-{deployment}.jsonl"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

        def write(line: bytes) -> None:
            os.write(file, line)

        return write

    return opened
