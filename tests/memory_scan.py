"""Looking for bytes in the memory of living processes, as root can."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

_STEP_BYTES = 16 << 20
_MAPPED = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r")


def descendants(root: int) -> set[int]:
    """The processes below `root`, it among them, that live now."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text("ascii", "replace")
            except OSError:
                continue
            parents[int(entry.name)] = int(text[text.rindex(")") + 2 :].split()[1])
    found, grew = {root}, True
    while grew:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found, grew = found | more, bool(more)
    return found


def holding(canary: bytes, pids: Iterable[int]) -> set[int]:
    """Those of `pids` in whose memory the bytes lie anywhere."""
    return {pid for pid in pids if _holds(canary, pid)}


def _holds(canary: bytes, pid: int) -> bool:
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    except OSError:  # it ended
        return False
    try:
        spans = [(int(low, 16), int(high, 16)) for low, high in _MAPPED.findall(maps)]
        return any(_spans(canary, memory, low, high) for low, high in spans)
    finally:
        os.close(memory)


def _spans(canary: bytes, memory: int, low: int, high: int) -> bool:
    kept = b""
    while low < high:
        try:
            data = os.pread(memory, min(_STEP_BYTES, high - low), low)
        except (OSError, OverflowError):  # a page that only the kernel may read
            return False
        if not data:
            return False
        if canary in kept + data:
            return True
        kept, low = data[-len(canary) :], low + len(data)
    return False
