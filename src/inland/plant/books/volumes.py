"""Volumes written anew: a tombstone in the place of each record that is to go, the rest untouched.

The new file takes the old one's name at once: readers, booking and crashes meet one or the other.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from inland.domain.errors import Damaged
from inland.plant.books.durable import parent
from inland.plant.books.shelves import volume_path
from inland.ports.files import Files, OpenFile

CHUNK_BYTES = 1 << 20


def rewrite(
    files: Files,
    volume: tuple[str, str],
    end: int,
    booked: Callable[[], int],
    change: Callable[[bytes], bytes],
    alone: Callable[[], AbstractContextManager[object]],
) -> None:
    """Each line of a tenant's and writer's volume that ends at or before `end` becomes what
    `change` makes of it, of the same length. `booked`: how long the volume is by the books; under
    `alone` nobody books. Durable when it returns. Raises Damaged.
    """
    path = volume_path(*volume)
    try:
        old = files.open(path)
    except FileNotFoundError:
        raise Damaged(path, "missing") from None
    aside = f"{path}.new"
    new = files.open(aside, create=True)
    try:
        new.truncate(0)
        for piece in _changed(old, path, end, change):
            new.append(piece)
        reached = _copy(old, new, end, booked())
        new.sync()  # so that little is left to sync while nobody books
        with alone():
            _copy(old, new, reached, booked())
            new.sync()
            files.rename(aside, path)
            files.sync_dir(parent(path))
    finally:
        new.close()
        old.close()


def _changed(
    old: OpenFile, path: str, end: int, change: Callable[[bytes], bytes]
) -> Iterator[bytes]:
    for lines in _lines(old, path, end):
        made = [change(line) for line in lines]
        assert [len(line) for line in made] == [len(line) for line in lines], "the same room"
        yield b"".join(line + b"\n" for line in made)


def _lines(old: OpenFile, path: str, end: int) -> Iterator[list[bytes]]:
    """Whole lines from the beginning to `end`, a chunk's at a time."""
    at, rest = 0, b""
    while at < end:
        chunk = old.read(at, min(CHUNK_BYTES, end - at))
        if not chunk:
            raise Damaged(path, f"ends at {at}, of {end} bytes that were booked")
        at += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        yield lines
    if rest:
        raise Damaged(path, f"no record ends at {end}")


def _copy(old: OpenFile, new: OpenFile, start: int, end: int) -> int:
    """What lies between, as it is; where it ended."""
    while start < end:
        chunk = old.read(start, min(CHUNK_BYTES, end - start))
        if not chunk:
            raise Damaged("records", f"end at {start}, of {end} bytes that were booked")
        new.append(chunk)
        start += len(chunk)
    return start
