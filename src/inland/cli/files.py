"""Files that commands read and write for their user."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from inland.cli.failures import Failed

#: Receipts, checkpoints, keys and texts are smaller than this.
READ_LIMIT_BYTES = 64 * 1024 * 1024


def read_bytes(path: Path, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
    """A file's bytes. Raises Failed when it is larger than any file of its kind."""
    with path.open("rb") as file:
        data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise Failed(f"{path} is larger than {limit_bytes} bytes")
    return data


def read_text(path: Path) -> str:
    """A small text file. Raises Failed when it is not text."""
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise Failed(f"{path} is not a text") from None


def put_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    put_pieces(path, [data])


def put_pieces(path: Path, pieces: Iterable[bytes]) -> int:
    """As `put_whole`, piece by piece; the bytes written."""
    with replacing(path) as file:
        return sum(file.write(piece) for piece in pieces)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """What is written in the block becomes the file when it ends; raising leaves what was there."""
    if not path.parent.is_dir():
        raise Failed(f"{path.parent} is not a folder")
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
