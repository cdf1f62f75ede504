"""The factory's wall clock, turned without touching the machine's.

Python reads a module of ours before the factory's first line; in control and gateways it puts an
offset, read from a file, on `time.time` and `time.time_ns`, the only wall clock the factory knows.
The monotonic clock stays the machine's.
"""

from pathlib import Path

#: How soon a turned clock is noticed, in seconds.
LOOK_S = 0.1
_PROGRAM = """
import sys, time
if {{"control", "gateway"}} & set(sys.orig_argv):
    real, monotonic, last = time.time_ns, time.monotonic, [0.0, 0]
    def offset_ns():
        now = monotonic()
        if now - last[0] >= {look_s}:
            with open({file!r}) as file:
                last[:] = now, int(file.read() or 0) * 10**9
        return last[1]
    time.time_ns = lambda: real() + offset_ns()
    time.time = lambda: time.time_ns() / 1e9
"""


class WallClock:
    """One clock for a factory; it starts right."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "ahead_s"

    def environment(self) -> dict[str, str]:
        """What the factory must be started with."""
        self._folder.mkdir()
        self.set(0)
        program = _PROGRAM.format(file=str(self._file), look_s=LOOK_S)
        (self._folder / "sitecustomize.py").write_text(program)
        return {"PYTHONPATH": str(self._folder)}

    def set(self, ahead_s: int) -> None:
        """From now on the clock is so far ahead, or behind."""
        aside = self._folder / "next"
        aside.write_text(str(ahead_s))
        aside.replace(self._file)
