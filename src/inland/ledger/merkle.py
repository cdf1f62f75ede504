"""Merkle trees as RFC 6962 defines them: roots, inclusion and consistency proofs, their verification.

Proofs are first lists of leaf ranges, then hashes of those ranges, so that trees in memory and trees
in tiles share one code. Source: RFC 6962, section 2.1; verification as in RFC 9162, section 2.1.3-4.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import compare_digest

#: The root of the tree without leaves.
EMPTY_ROOT = sha256(b"").digest()
#: A range of leaves, first included, last excluded.
Range = tuple[int, int]
#: (level, index) → the hash over leaves [index·2^level, (index+1)·2^level), all of them present.
Node = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry)."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return sha256(b"\1" + left + right).digest()


def root(entries: Sequence[bytes]) -> bytes:
    """The tree hash over `entries`."""
    return Tree(entries).root if entries else EMPTY_ROOT


def fold(hashes: list[bytes]) -> bytes:
    """The root over at least one subtree hash of equal height, the last of which may be lower."""
    while len(hashes) > 1:
        hashes = _parents(hashes)
    return hashes[0]


def _parents(level: list[bytes]) -> list[bytes]:
    pairs = iter(level)
    # zip drops an odd last one: RFC 6962 carries it up unhashed.
    above = [sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs)]  # noqa: B905
    if len(level) & 1:
        above.append(level[-1])
    return above


class Tree:
    """All hashes of the tree over `entries`, computed once: about two SHA-256 an entry, 64 bytes kept.

    Proofs from it cost a few look-ups each.
    """

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.size = len(entries)
        level = [sha256(b"\0" + entry).digest() for entry in entries]
        self._levels = [level]
        while len(level) > 1:
            level = _parents(level)
            self._levels.append(level)

    @property
    def root(self) -> bytes:
        """The tree hash over all entries."""
        return self._levels[-1][0] if self.size else EMPTY_ROOT

    def node(self, level: int, index: int) -> bytes:
        """The hash over leaves [index·2^level, (index+1)·2^level), which must all be present."""
        return self._levels[level][index]

    def inclusion(self, index: int) -> list[bytes]:
        """The audit path of entry `index`, leaf side first."""
        return [range_root(lo, hi, self.node) for lo, hi in inclusion_ranges(index, self.size)]

    def consistency(self, old: int) -> list[bytes]:
        """The proof that the tree of the first `old` entries is a prefix of this one."""
        return [range_root(lo, hi, self.node) for lo, hi in consistency_ranges(old, self.size)]


def inclusion(entries: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of `entries[index]` in the tree over all of them, leaf side first."""
    return Tree(entries).inclusion(index)


def consistency(entries: Sequence[bytes], old: int, new: int) -> list[bytes]:
    """The proof that the tree of the first `old` entries is a prefix of that of the first `new`."""
    assert new <= len(entries)
    return Tree(entries[:new]).consistency(old)


def range_root(lo: int, hi: int, node: Node) -> bytes:
    """The hash over leaves [lo, hi), a range of a proof or [0, size), from complete subtrees."""
    parts = []
    while lo < hi:
        level = (hi - lo).bit_length() - 1
        parts.append(node(level, lo >> level))
        lo += 1 << level
    result = parts.pop()
    while parts:
        result = node_hash(parts.pop(), result)
    return result


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose hashes prove leaf `index` in a tree of `size`. RFC 6962, section 2.1.1."""
    assert 0 <= index < size
    lo, hi, ranges = 0, size, []
    while hi - lo > 1:
        middle = lo + _split(hi - lo)
        if index < middle:
            ranges.append((middle, hi))
            hi = middle
        else:
            ranges.append((lo, middle))
            lo = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The ranges whose hashes prove the first `old` leaves a prefix of `new`. RFC 6962, 2.1.2."""
    assert 0 <= old <= new
    if old == 0:
        return []
    lo, hi, ranges = 0, new, []
    while hi != old:
        middle = lo + _split(hi - lo)
        if old <= middle:
            ranges.append((middle, hi))
            hi = middle
        else:
            ranges.append((lo, middle))
            lo = middle
    if lo:
        ranges.append((lo, hi))
    return ranges[::-1]


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def verify_inclusion(
    entry: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether `proof` shows `entry` at `index` of the tree of `size` with `root`. RFC 9162, 2.1.3.2."""
    if not 0 <= index < size:
        return False
    place, last, running = index, size - 1, leaf_hash(entry)
    for sibling in proof:
        if not last:
            return False
        if place & 1 or place == last:
            running = node_hash(sibling, running)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            running = node_hash(running, sibling)
        place, last = place >> 1, last >> 1
    return not last and compare_digest(running, root)


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether `proof` shows the old tree a prefix of the new one. RFC 9162, section 2.1.4.2.

    Nothing is a prefix of every tree, and every tree of itself: both with an empty proof only.
    """
    if not 0 <= old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and compare_digest(old_root, new_root)
    if old_size == 0:
        return not proof and compare_digest(old_root, EMPTY_ROOT)
    hashes = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    if not hashes:
        return False
    return _walk_consistency(old_size - 1, new_size - 1, hashes, old_root, new_root)


def _walk_consistency(
    place: int, last: int, hashes: list[bytes], old_root: bytes, new_root: bytes
) -> bool:
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if not last:
            return False
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    return not last and compare_digest(old, old_root) and compare_digest(new, new_root)
