"""A log as static files: hash tiles and entry bundles, laid out as C2SP tlog-tiles says, height 8.

`read(path)` gives the bytes of one tile; whatever it raises passes through. Source:
https://c2sp.org/tlog-tiles.
"""

from collections.abc import Callable, Iterator, Sequence

from inland.domain.errors import Damaged
from inland.ledger import merkle

Read = Callable[[str], bytes]

TILE_HEIGHT = 8
#: Hashes in a full tile, entries in a full bundle.
TILE_WIDTH = 1 << TILE_HEIGHT
HASH_BYTES = 32
MAX_ENTRY_BYTES = (1 << 16) - 1


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """The path of hash tile `index` of `level` with `width` hashes: `tile/0/x001/067.p/5`."""
    return f"tile/{level}/{_index_path(index)}{_partial(width)}"


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """The path of entry bundle `index` with `width` entries: `tile/entries/000`."""
    return f"tile/entries/{_index_path(index)}{_partial(width)}"


def _index_path(index: int) -> str:
    assert index >= 0
    path = f"{index % 1000:03d}"
    while index := index // 1000:
        path = f"x{index % 1000:03d}/{path}"
    return path


def _partial(width: int) -> str:
    assert 1 <= width <= TILE_WIDTH
    return "" if width == TILE_WIDTH else f".p/{width}"


def tile_paths(size: int) -> Iterator[str]:
    """Every tile and bundle of a tree of `size`: the full ones and the partial last ones."""
    for index, width in _widths(size):
        yield bundle_path(index, width)
    level, count = 0, size
    while count:
        for index, width in _widths(count):
            yield tile_path(level, index, width)
        level, count = level + 1, count >> TILE_HEIGHT


def _widths(count: int) -> Iterator[tuple[int, int]]:
    for first in range(0, count, TILE_WIDTH):
        yield first >> TILE_HEIGHT, min(TILE_WIDTH, count - first)


def new_tiles(
    read: Read, old_size: int, new_size: int, entries: Sequence[bytes]
) -> list[tuple[str, bytes]]:
    """The tiles and bundles to write when the log grows from `old_size` by `entries` to `new_size`.

    Reads the partial tiles of the old size. Written in this order, a path's data never changes, and
    doing it again after a crash writes the same. Raises Damaged for a tile of the wrong length.
    """
    assert len(entries) == new_size - old_size
    written = _new_bundles(read, old_size, entries)
    level, first, hashes = 0, old_size, [merkle.leaf_hash(entry) for entry in entries]
    while hashes:
        index, have = divmod(first, TILE_WIDTH)
        data = _read_tile(read, level, index, have) if have else b""
        data += b"".join(hashes)
        hashes = []
        for at in range(0, len(data), TILE_WIDTH * HASH_BYTES):
            tile = data[at : at + TILE_WIDTH * HASH_BYTES]
            width = len(tile) // HASH_BYTES
            written.append((tile_path(level, index, width), tile))
            if width == TILE_WIDTH:
                hashes.append(merkle.fold(_hashes(tile)))
            index += 1
        level, first = level + 1, first >> TILE_HEIGHT
    return written


def _new_bundles(read: Read, old_size: int, entries: Sequence[bytes]) -> list[tuple[str, bytes]]:
    index, have = divmod(old_size, TILE_WIDTH)
    known = entries_of(read(bundle_path(index, have)), have) if have and entries else []
    held = [*known, *entries]
    return [
        (bundle_path(index + number, width), bundle(held[number << TILE_HEIGHT :][:width]))
        for number, width in _widths(len(held))
    ]


def bundle(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: each entry behind its length as a big-endian uint16."""
    assert all(len(entry) <= MAX_ENTRY_BYTES for entry in entries)
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def entries_of(data: bytes, count: int) -> list[bytes]:
    """The `count` entries of a bundle. Raises Damaged when it holds more, fewer or a torn one."""
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        entries.append(data[at + 2 : end])
        at = end
    if at != len(data) or len(entries) != count:
        raise Damaged("entry bundle", f"does not hold {count} whole entries")
    return entries


def tree_root(read: Read, size: int) -> bytes:
    """The root of the tree of `size`, from its tiles. Raises Damaged."""
    return prefix_root(read, size, size)


def prefix_root(read: Read, old: int, new: int) -> bytes:
    """The root of the first `old` entries, from the tiles of the tree of `new`. Raises Damaged."""
    assert 0 <= old <= new
    return merkle.range_root(0, old, _nodes(read, new)) if old else merkle.EMPTY_ROOT


def inclusion_from_tiles(read: Read, index: int, size: int) -> list[bytes]:
    """The audit path of entry `index` in the tree of `size`, leaf side first. Raises Damaged."""
    node = _nodes(read, size)
    return [merkle.range_root(lo, hi, node) for lo, hi in merkle.inclusion_ranges(index, size)]


def consistency_from_tiles(read: Read, old: int, new: int) -> list[bytes]:
    """The proof that the tree of `old` is a prefix of the tree of `new`. Raises Damaged."""
    node = _nodes(read, new)
    return [merkle.range_root(lo, hi, node) for lo, hi in merkle.consistency_ranges(old, new)]


def _nodes(read: Read, size: int) -> merkle.Node:
    """Hashes of complete subtrees of the tree of `size`; each tile is read once."""
    tiles: dict[tuple[int, int], bytes] = {}

    def node(level: int, index: int) -> bytes:
        tile_level, rise = divmod(level, TILE_HEIGHT)
        tile_index, first = divmod(index << rise, TILE_WIDTH)
        place = (tile_level, tile_index)
        if place not in tiles:
            held = (size >> TILE_HEIGHT * tile_level) - tile_index * TILE_WIDTH
            tiles[place] = _read_tile(read, tile_level, tile_index, min(held, TILE_WIDTH))
        start, end = first * HASH_BYTES, (first + (1 << rise)) * HASH_BYTES
        return merkle.fold(_hashes(tiles[place][start:end]))

    return node


def _read_tile(read: Read, level: int, index: int, width: int) -> bytes:
    path = tile_path(level, index, width)
    data = read(path)
    if len(data) != width * HASH_BYTES:
        raise Damaged(path, f"{len(data)} bytes where {width * HASH_BYTES} belong")
    return data


def _hashes(data: bytes) -> list[bytes]:
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
