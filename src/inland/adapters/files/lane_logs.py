"""Logs of lanes, where somebody asked for them: a file for each lane and each life of a gateway.

They are written while the folder `logs/admission` is there when a gateway starts. A line is one
write, so what a kill leaves is whole lines. A log ends where it is full, or cannot be written: what
lanes decide does not depend on it.
"""

import logging
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

_log = logging.getLogger(__name__)
#: The longest log of one lane.
LOG_BYTES = 256 * 1024 * 1024
#: What all logs together may have when another one is begun.
FOLDER_BYTES = 16 * LOG_BYTES


def lane_logs(home: Path, writer: str) -> Callable[[str], Callable[[bytes], None] | None] | None:
    """What opens a lane's log, by its deployment; None where nobody asked for logs."""
    folder = home / "logs" / "admission"
    if not folder.is_dir():
        return None
    numbers = count()

    def opened(deployment: str) -> Callable[[bytes], None] | None:
        try:
            if sum(one.stat().st_size for one in folder.iterdir()) >= FOLDER_BYTES:
                _log.warning("a lane has no log: there are too many", extra={"model": deployment})
                return None
            return LaneLog(folder / f"{writer}-{next(numbers)}-{deployment}.jsonl").write
        except OSError as error:
            _log.warning("a lane has no log", extra={"model": deployment, "why": str(error)})
            return None

    return opened


class LaneLog:
    """One lane's, from its first event on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file: int | None = os.open(path, flags, 0o600)

    def write(self, line: bytes) -> None:
        """Append `line`, as long as there is room."""
        if self._file is None:
            return
        if self._size + len(line) > LOG_BYTES:
            self._end(f"one has {LOG_BYTES} bytes at most")
            return
        try:
            if os.write(self._file, line) < len(line):
                os.ftruncate(self._file, self._size)
                self._end("a line could not be written whole")
            self._size += len(line)
        except OSError as error:
            self._end(str(error))

    def _end(self, why: str) -> None:
        assert self._file is not None
        os.close(self._file)
        self._file = None
        _log.warning("a lane's log ends", extra={"log": self._path.name, "why": why})
