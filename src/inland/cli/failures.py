"""What a person reads when a command fails: one line, whatever went wrong."""

import errno
from dataclasses import dataclass
from pathlib import Path

from typer import Abort

from inland.cli.program import call
from inland.domain.errors import InlandError

FAILED, WRONG_WORDS, FAULT, INTERRUPTED = 1, 2, 70, 130

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_LINE_CHARS = 1000


@dataclass
class NotRunning(InlandError):
    """The command needs a running factory and there is none in that home."""

    home: Path

    def __str__(self) -> str:
        return f"no factory runs in {self.home}; start it with: {call('up', self.home)}"


@dataclass
class Failed(InlandError):
    """The command could not do its work, and says so itself."""

    why: str

    def __str__(self) -> str:
        return self.why


def describe(error: BaseException) -> tuple[str, int]:
    """The line and the exit status for an error; an empty line where all was said already."""
    match error:
        case InlandError():
            return _one_line(str(error)), FAILED
        case OSError():
            return _one_line(_of_system(error)), FAILED
        case Abort() | KeyboardInterrupt():
            return "stopped", INTERRUPTED
        case _:
            return _one_line(_of_words(error)), WRONG_WORDS


def describe_fault(error: Exception) -> str:
    """The line for an error nobody foresaw: what it is and where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    at = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else "nowhere"
    said = (str(error).splitlines() or [""])[0]
    return _one_line(f"a fault of Inland's own at {at}: {type(error).__name__}: {said}")


def _of_system(error: OSError) -> str:
    where = error.filename2 or error.filename
    at = f" ({where})" if where else ""
    if error.errno in _NO_ROOM:
        return f"no space left on the disk{at}"
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"not allowed to read or write there{at}: {error.strerror}"
    return f"{error.strerror or error}{at}"


def _of_words(error: BaseException) -> str:
    """What the parser of the command line says; help it has printed itself is not said again."""
    said = getattr(error, "format_message", lambda: str(error))()
    return f"{said} (see --help)" if said else ""


def _one_line(text: str) -> str:
    """Printable: a stranger's words in it tell a terminal nothing."""
    plain = "".join(one if one.isprintable() else " " for one in text)
    return " ".join(plain.split())[:_LINE_CHARS]
