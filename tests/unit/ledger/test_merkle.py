"""Merkle trees: the published RFC 6962 vectors, and the laws that proofs obey."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.ledger import merkle

#: The test leaves of Google's certificate-transparency reference implementation
#: (cpp/merkletree/merkle_tree_test.cc), and the root over each first so many of them.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
#: (leaf, size, audit path), leaf counted from 0.
INCLUSIONS = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
#: (old size, new size, proof).
CONSISTENCIES = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]

ENTRIES = [sha256(b"entry %d" % number).digest() for number in range(70)]
ROOT_OF = [merkle.root(ENTRIES[:size]) for size in range(len(ENTRIES) + 1)]
SIZES = st.integers(1, len(ENTRIES))


def hashed(proof):
    return [bytes.fromhex(each) for each in proof]


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_published_roots(size):
    assert merkle.root(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size", "proof"), INCLUSIONS)
def test_published_inclusion_proofs(index, size, proof):
    assert merkle.inclusion(LEAVES[:size], index) == hashed(proof)
    root = bytes.fromhex(ROOTS[size])
    assert merkle.verify_inclusion(LEAVES[index], index, size, hashed(proof), root)


@pytest.mark.parametrize(("old", "new", "proof"), CONSISTENCIES)
def test_published_consistency_proofs(old, new, proof):
    assert merkle.consistency(LEAVES, old, new) == hashed(proof)
    roots = [bytes.fromhex(ROOTS[size]) for size in (old, new)]
    assert merkle.verify_consistency(old, roots[0], new, roots[1], hashed(proof))


def recursive_root(entries):
    """RFC 6962, section 2.1, word for word."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\0" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    left, right = recursive_root(entries[:split]), recursive_root(entries[split:])
    return sha256(b"\1" + left + right).digest()


def test_roots_are_those_of_the_definition():
    assert [recursive_root(ENTRIES[:size]) for size in range(len(ROOT_OF))] == ROOT_OF


@pytest.mark.parametrize("size", range(1, len(ENTRIES) + 1))
def test_each_entry_is_proved_in_its_tree_and_nowhere_else(size):
    tree = merkle.Tree(ENTRIES[:size])
    for index in range(size):
        proof = tree.inclusion(index)
        assert merkle.verify_inclusion(ENTRIES[index], index, size, proof, tree.root)
        other = (index + 1) % (size + 1)
        assert not merkle.verify_inclusion(ENTRIES[index], other, size, proof, tree.root)
        assert not merkle.verify_inclusion(ENTRIES[index], index, size, [*proof, b""], tree.root)
        if proof:
            assert not merkle.verify_inclusion(ENTRIES[index], index, size, proof[:-1], tree.root)


@pytest.mark.parametrize("new", range(1, len(ENTRIES) + 1))
def test_each_beginning_is_proved_and_no_other_size_passes_for_it(new):
    tree = merkle.Tree(ENTRIES[:new])
    for old in range(new + 1):
        proof = tree.consistency(old)
        fitting = [
            size
            for size in range(new + 1)
            if merkle.verify_consistency(size, ROOT_OF[old], new, tree.root, proof)
        ]
        assert fitting == [old]
        assert not merkle.verify_consistency(old, ROOT_OF[old], new, tree.root, [*proof, b""])


@given(st.data())
def test_a_flipped_bit_in_a_proof_is_refused(data):
    size = data.draw(st.integers(2, len(ENTRIES)))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size - 1))
    at, bit = data.draw(st.integers(0, 31)), data.draw(st.integers(0, 7))

    def flip(proof):
        broken = list(proof)
        which = data.draw(st.integers(0, len(proof) - 1))
        hash_ = bytearray(broken[which])
        hash_[at] ^= 1 << bit
        broken[which] = bytes(hash_)
        return broken

    broken = flip(merkle.inclusion(ENTRIES[:size], index))
    assert not merkle.verify_inclusion(ENTRIES[index], index, size, broken, ROOT_OF[size])
    broken = flip(merkle.consistency(ENTRIES, old, size))
    assert not merkle.verify_consistency(old, ROOT_OF[old], size, ROOT_OF[size], broken)


@given(SIZES, SIZES, st.integers(-2, 80))
def test_sizes_and_indices_outside_are_refused_not_errors(size, other, index):
    proof = merkle.inclusion(ENTRIES[:size], 0)
    proved = merkle.verify_inclusion(ENTRIES[0], index, other, proof, ROOT_OF[size])
    # A root says nothing of its tree's size: what states the root must state the size beside it.
    assert not proved or index == 0
    assert not merkle.verify_consistency(size + 1, ROOT_OF[size], size, ROOT_OF[size], [])
    assert not merkle.verify_consistency(-1, ROOT_OF[size], size, ROOT_OF[size], [])


def test_a_forked_history_is_refused():
    forked = merkle.Tree([*ENTRIES[:9], b"x" * 32, *ENTRIES[10:20]])
    for old in range(10, 20):
        proof = forked.consistency(old)
        assert not merkle.verify_consistency(old, ROOT_OF[old], 20, forked.root, proof)
