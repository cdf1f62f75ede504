"""Reading journals: one code for live and dead writers, and never a byte that is not synced.

Bytes that are no frame are a tail still being written (or torn) when nothing after them says they
were ever durable; otherwise they are damage, and nothing behind them is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from inland.domain.errors import Damaged
from inland.ledger import frames
from inland.ledger.frames import Frame, FrameKind
from inland.ports.files import Files, OpenFile

#: Bytes read at a time, at least one frame; and frames taken at a time: the bounds of one batch.
CHUNK_BYTES = 8 << 20
BATCH_FRAMES = 20_000

#: Said of a journal that the database is not done with. What was booked of it later is in no total.
MISSING = "the whole journal is missing: the database is older than the home, or files were lost"

_SUFFIX = ".frames"
_ASIDE = "new-"


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of a writer's stream, whose first byte is at `base` in it."""

    base: int
    path: str


class _Named(msgspec.Struct, gc=False):
    id: str


_NAMED = msgspec.json.Decoder(_Named)


def writers(files: Files) -> list[str]:
    """Every writer whose journal is there; folders still being made aside are not."""
    return [name for name in files.list("journal") if not name.startswith(_ASIDE)]


def aside(files: Files) -> list[str]:
    """Folders of writers that are still being made, or never were."""
    return [name for name in files.list("journal") if name.startswith(_ASIDE)]


def segments(files: Files, writer: str) -> list[Segment]:
    """The writer's segments, in order. Raises Damaged for a name that is none."""
    found = []
    for name in files.list(f"journal/{writer}"):
        if name.endswith(_SUFFIX):
            path = f"journal/{writer}/{name}"
            try:
                found.append(Segment(int(name.removesuffix(_SUFFIX), 16), path))
            except ValueError:
                raise Damaged(path, "not the name of a segment") from None
    return sorted(found, key=lambda segment: segment.base)


def read(files: Files, writer: str, position: int, *, sync: bool) -> list[Frame]:
    """Frames of `writer` from `position`, a frame's start; none when no more whole ones are there.

    With `sync`, what is returned is durable. Raises Damaged.
    """
    held = segments(files, writer)
    at = max((n for n, segment in enumerate(held) if segment.base <= position), default=None)
    if at is None:
        raise Damaged(f"journal/{writer}", f"nothing there holds offset {position}")
    segment = held[at]
    following = held[at + 1] if at + 1 < len(held) else None
    file = files.open(segment.path)
    try:
        return _read(file, segment, following, position, sync=sync)
    finally:
        file.close()


def _read(
    file: OpenFile, segment: Segment, following: Segment | None, position: int, *, sync: bool
) -> list[Frame]:
    end = segment.base + file.size()
    if following is not None and following.base != end:
        raise Damaged(segment.path, f"ends at {end}, the next begins at {following.base}")
    if position > end:
        raise Damaged(segment.path, f"ends at {end}, before {position}, which was durable")
    if position == end:
        return []
    if sync:
        file.sync()
    data = file.read(position - segment.base, min(end - position, CHUNK_BYTES))
    found = frames.read(data, position, BATCH_FRAMES)
    if not found:
        rest = file.read(position - segment.base, end - position)
        if following is not None or frames.claimed_after(rest, 1) > position:
            raise Damaged(segment.path, f"a damaged frame at {position}")
    return found


def record_id(frame: Frame) -> str:
    """The id in a frame's payload. Raises Damaged."""
    try:
        return _NAMED.decode(frame.payload).id
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged(f"frame before {frame.end}", f"not a record ({error})") from None


def payloads(files: Files, writer: str) -> Iterator[bytes]:
    """What every whole frame that is still there holds, booked or not. Raises Damaged."""
    held = segments(files, writer)
    position = held[0].base if held else 0
    while held and (found := read(files, writer, position, sync=False)):
        yield from (frame.payload for frame in found)
        position = found[-1].end


class Openings:
    """The openings of one writer that have no record yet, by id: where each begins, its bytes."""

    def __init__(self) -> None:
        self.open: dict[str, tuple[int, bytes]] = {}

    def see(self, frame: Frame) -> None:
        """Take the next frame of the stream."""
        if frame.kind == FrameKind.OPENING:
            start = frame.end - len(frame.payload) - frames.HEAD_BYTES
            self.open[record_id(frame)] = (start, frame.payload)
        elif self.open:
            self.open.pop(record_id(frame), None)

    def first(self) -> int | None:
        """Where the earliest of them begins."""
        return min((start for start, _ in self.open.values()), default=None)


def replay(files: Files, writer: str, until: int | None) -> tuple[Openings, int]:
    """The openings left at `until` (or the end of the whole frames), and that offset."""
    openings = Openings()
    held = segments(files, writer)
    position = held[0].base if held else 0
    while held and (until is None or position < until):
        found = read(files, writer, position, sync=False)
        if not found:
            break
        for frame in found:
            if until is not None and frame.end > until:
                return openings, position
            openings.see(frame)
            position = frame.end
    return openings, position


def end(files: Files, writer: str) -> int:
    """The offset just after the last byte of the writer's last segment."""
    held = segments(files, writer)
    if not held:
        return 0
    file = files.open(held[-1].path)
    try:
        return held[-1].base + file.size()
    finally:
        file.close()


def removable(held: list[Segment], until: int) -> list[Segment]:
    """The segments that end at or before `until`, never the last one."""
    return [segment for segment, following in pairwise(held) if following.base <= until]
