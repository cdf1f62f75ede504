"""The seal of a backup: age, by a passphrase.

A backup's own age identity, in armour under the passphrase, and then the backup encrypted to it, so
that any size can be streamed; the passphrase is worked out once.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import BinaryIO

import pyrage
from pyrage import passphrase as by_passphrase
from pyrage.x25519 import Identity

from inland.domain.errors import BadInput, Damaged

PASSPHRASE_LIMIT_BYTES = 4096
_BEGIN, _END = b"-----BEGIN AGE ENCRYPTED FILE-----\n", b"-----END AGE ENCRYPTED FILE-----\n"
_ARMOUR_LIMIT_BYTES = 8192


def read_passphrase(file: Path) -> str:
    """The passphrase in a file: its one line. Raises BadInput."""
    with file.open("rb") as opened:
        data = opened.read(PASSPHRASE_LIMIT_BYTES + 1)
    try:
        text = data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        text = ""
    if not text or "\n" in text or len(data) > PASSPHRASE_LIMIT_BYTES:
        raise BadInput("passphrase", f"{file} must hold one line of text")
    return text


@contextmanager
def sealing(out: BinaryIO, passphrase: str | None) -> Iterator[BinaryIO]:
    """Where to write what goes to `out`, sealed when there is a passphrase."""
    if passphrase is None:
        yield out
        return
    own = Identity.generate()
    out.write(by_passphrase.encrypt(str(own).encode(), passphrase, armored=True))
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source, os.fdopen(write, "wb") as sink:
        work = _Work(lambda kept: pyrage.encrypt_io(source, kept, [own.to_public()]), source, out)
        try:
            yield sink
            sink.close()
        except BrokenPipeError:
            work.end()
            raise
        finally:
            with suppress(BrokenPipeError):
                sink.close()
            work.join()
        work.end()


@contextmanager
def opening(file: BinaryIO, passphrase: str | None) -> Iterator[BinaryIO]:
    """A backup's own bytes, sealed or not. Raises BadInput for a passphrase that does not open it.

    Damaged where the seal is broken.
    """
    start = file.read(len(_BEGIN))
    if start != _BEGIN:
        file.seek(0)
        yield file
        return
    if passphrase is None:
        raise BadInput("passphrase", "the backup is sealed; name its --passphrase-file")
    own = _identity(file, start, passphrase)
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source, os.fdopen(write, "wb") as sink:
        work = _Work(lambda kept: pyrage.decrypt_io(file, kept, [own]), sink, sink)
        try:
            yield source
        except Damaged:
            source.close()
            work.end()
            raise
        finally:
            source.close()
            work.join()
        work.end()


def _identity(file: BinaryIO, armour: bytes, passphrase: str) -> Identity:
    while not armour.endswith(_END):
        line = file.readline(_ARMOUR_LIMIT_BYTES)
        armour += line
        if not line or len(armour) > _ARMOUR_LIMIT_BYTES:
            raise Damaged("the backup", "its seal is broken")
    try:
        return Identity.from_str(by_passphrase.decrypt(armour, passphrase).decode())
    except (pyrage.DecryptError, pyrage.IdentityError, UnicodeDecodeError):
        raise BadInput("passphrase", "it does not open this backup") from None


class _Kept:
    """Passes bytes on, and keeps what went wrong, of which the seal tells its words only."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._out.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._out.flush()


class _Work(Thread):
    """One end of a pipe, worked by a thread; what goes wrong there is raised by `end`."""

    def __init__(self, work: Callable[[_Kept], None], pipe: BinaryIO, out: BinaryIO) -> None:
        super().__init__(name="seal", daemon=True)
        self._work = work
        self._pipe = pipe
        self._kept = _Kept(out)
        self._error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self._work(self._kept)
        except Exception as error:  # noqa: BLE001 - told by `end`
            self._error = error
        finally:
            with suppress(OSError):
                self._pipe.close()

    def end(self) -> None:
        """Wait for the end. Raises what the disk said, and Damaged for anything else."""
        self.join()
        if isinstance(self._kept.error, BrokenPipeError) or self._error is None:
            return  # nobody wants the rest
        if self._kept.error is not None:
            raise self._kept.error
        raise Damaged("the backup", f"its seal is broken ({self._error})")
