"""Merkle trees as RFC 6962, section 2.1, defines them: roots, inclusion and consistency proofs.

A proof is first a list of ranges of leaves, then the hashes over those ranges, so that trees in
memory, trees in tiles and verification share one code.
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
    """All hashes of the tree over `entries`: two SHA-256 an entry once, then proofs by look-up."""

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
    """Whether `proof` shows `entry` at `index` of the tree of `size` that has `root`."""
    if not 0 <= index < size:
        return False
    ranges = inclusion_ranges(index, size)
    if len(proof) != len(ranges):
        return False
    running = leaf_hash(entry)
    for (lo, _), beside in zip(ranges, proof, strict=True):
        running = node_hash(beside, running) if lo < index else node_hash(running, beside)
    return compare_digest(running, root)


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether `proof` shows the old tree to be a prefix of the new one.

    Nothing is a prefix of every tree, and every tree of itself: both with an empty proof only.
    """
    if not 0 <= old_size <= new_size:
        return False
    if old_size in {0, new_size}:
        beginning = new_root if old_size else EMPTY_ROOT
        return not proof and compare_digest(old_root, beginning)
    ranges = consistency_ranges(old_size, new_size)
    if len(proof) != len(ranges):
        return False
    if ranges[0][0] < old_size:  # the old tree's last complete subtree comes first
        (start, _), *ranges = ranges
        old, *proof = proof
    else:  # the old tree is itself one subtree of the new one, and left out
        start, old = 0, old_root
    new = old
    for (lo, _), beside in zip(ranges, proof, strict=True):
        if lo < start:
            old, new = node_hash(beside, old), node_hash(beside, new)
        else:
            new = node_hash(new, beside)
    return compare_digest(old, old_root) and compare_digest(new, new_root)
