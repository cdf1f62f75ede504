"""Journal frames: how openings and records lie in a segment, and how a damaged one is told apart.

Pure. A frame is magic (4) | crc32 (4) | length (4) | kind (1) | synced (8) | payload, big-endian.
`synced` is the offset in the writer's stream that was known durable when the frame was written; so
a bad frame at B is a torn tail unless a later valid frame claims more than B: `docs/journal.md`.
"""

from enum import IntEnum
from functools import lru_cache
from struct import Struct
from zlib import crc32

import msgspec

#: The first byte is in no UTF-8 text and the last is the format's version.
MAGIC = b"\xf7IJ\x01"
#: Largest payload. A record is a few hundred bytes; 128 choices of commitments stay under 10 KiB.
MAX_PAYLOAD_BYTES = 1 << 20

_HEAD = Struct(">4sIIBQ")
_SEED = Struct(">BQ")
HEAD_BYTES = _HEAD.size


class FrameKind(IntEnum):
    """What a payload is: the opening of a stream, which is no record, or a record."""

    OPENING = 1
    RECORD = 2


_KINDS = frozenset(int(kind) for kind in FrameKind)


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One valid frame. `end` is the offset just after it, in the stream it was parsed from."""

    kind: int
    synced: int
    payload: bytes
    end: int


@lru_cache(maxsize=8)  # all frames of a commit share it
def _seed(kind: int, synced: int) -> int:
    """The checksum up to the payload."""
    return crc32(_SEED.pack(kind, synced))


def write(frames: list[tuple[int, bytes]], synced: int) -> bytes:
    """The bytes of `frames`, (kind, payload) each, all claiming durability up to `synced`."""
    seeds = {kind: _seed(kind, synced) for kind in _KINDS}
    pack = _HEAD.pack
    parts: list[bytes] = []
    for kind, payload in frames:
        length = len(payload)
        assert 0 < length <= MAX_PAYLOAD_BYTES
        parts.append(pack(MAGIC, crc32(payload, seeds[kind]), length, kind, synced))
        parts.append(payload)
    return b"".join(parts)


def read(data: bytes, base: int, limit: int) -> list[Frame]:
    """Up to `limit` valid frames from the start of `data`, whose first byte is at offset `base`.

    Stops before the first bytes that are no whole valid frame; the last frame's `end` says where.
    """
    frames: list[Frame] = []
    at = 0
    while len(frames) < limit:
        frame = _frame(data, at, base)
        if frame is None:
            break
        frames.append(frame)
        at = frame.end - base
    return frames


def _frame(data: bytes, at: int, base: int) -> Frame | None:
    start = at + HEAD_BYTES
    if start > len(data):
        return None
    magic, crc, length, kind, synced = _HEAD.unpack_from(data, at)
    end = start + length
    if magic != MAGIC or kind not in _KINDS or not 0 < length <= MAX_PAYLOAD_BYTES:
        return None
    if end > len(data):
        return None
    payload = data[start:end]
    if crc32(payload, _seed(kind, synced)) != crc:
        return None
    return Frame(kind, synced, payload, base + end)


def claimed_after(data: bytes, start: int) -> int:
    """The largest `synced` of the valid frames found anywhere from `start` on; 0 if none."""
    claimed = 0
    at = data.find(MAGIC, start)
    while at >= 0:
        frame = _frame(data, at, 0)
        if frame is not None:
            claimed = max(claimed, frame.synced)
        at = data.find(MAGIC, at + 1 if frame is None else frame.end)
    return claimed
