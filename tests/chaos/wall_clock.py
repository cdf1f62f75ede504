"""The factory's wall clock, turned without touching the machine's, by Debian's libfaketime.

It is preloaded into control and gateways alone, which re-execute themselves with it before their
first line; the monotonic clock stays the machine's.
"""

from pathlib import Path

_LIBRARIES = "/usr/lib/*-linux-gnu/faketime/libfaketimeMT.so.1"
#: Read by Python before the factory's own code: there is no other way past its clean environment.
_PRELOAD = """
import os, sys
words = sys.orig_argv
if "LD_PRELOAD" not in os.environ and {{"control", "gateway"}} & set(words):
    os.environ |= {{
        "LD_PRELOAD": {library!r},
        "FAKETIME_TIMESTAMP_FILE": {file!r},
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_CACHE_DURATION": "1",
    }}
    os.execv(sys.executable, [sys.executable, *words[1:]])
"""


class WallClock:
    """One clock for a factory; it starts right."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "offset"
        self._folder = folder

    @staticmethod
    def library() -> Path | None:
        """libfaketime, where it is installed."""
        found = sorted(Path("/").glob(_LIBRARIES[1:]))
        return found[0] if found else None

    def environment(self) -> dict[str, str]:
        """What the factory must be started with."""
        library = self.library()
        assert library is not None
        self._folder.mkdir()
        self.set(0)
        program = _PRELOAD.format(library=str(library), file=str(self._file))
        (self._folder / "sitecustomize.py").write_text(program)
        return {"PYTHONPATH": str(self._folder)}

    def set(self, ahead_s: int) -> None:
        """From now on the clock is so far ahead, or behind."""
        self._file.write_text(f"{ahead_s:+d}s\n")

    @staticmethod
    def is_under(pid: int) -> bool:
        """Whether the process looks at such a clock."""
        return b"libfaketime" in Path(f"/proc/{pid}/environ").read_bytes()
