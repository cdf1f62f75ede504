"""Tiles: published paths, the same hashes as trees in memory, and files that never change."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inland.domain.errors import Damaged
from inland.ledger import merkle, tiles

ENTRIES = [sha256(b"entry %d" % number).digest() for number in range(1100)]


def grown(sizes):
    """The files of a log that grew through `sizes`; no file is ever written with other bytes."""
    files: dict[str, bytes] = {}
    for old, new in zip([0, *sizes], sizes, strict=False):
        for path, data in tiles.new_tiles(files.__getitem__, old, new, ENTRIES[old:new]):
            assert files.setdefault(path, data) == data
    return files


@pytest.mark.parametrize(
    ("index", "path"),
    [
        (0, "000"),
        (999, "999"),
        (1000, "x001/000"),
        (1234067, "x001/x234/067"),  # the example of tlog-tiles
        (1234000, "x001/x234/000"),
        (1_000_000_000, "x001/x000/x000/000"),
    ],
)
def test_indices_are_written_as_tlog_tiles_says(index, path):
    assert tiles.tile_path(0, index) == f"tile/0/{path}"
    assert tiles.tile_path(2, index, 17) == f"tile/2/{path}.p/17"
    assert tiles.bundle_path(index, 255) == f"tile/entries/{path}.p/255"


def test_a_tree_of_70000_has_the_tiles_that_tlog_tiles_counts():
    paths = list(tiles.tile_paths(70_000))
    level = {name: [p for p in paths if p.startswith(f"tile/{name}/")] for name in "0123"}
    assert sum(".p/" not in path for path in level["0"]) == 273
    assert [path for path in paths if ".p/" in path] == [
        "tile/entries/273.p/112",
        "tile/0/273.p/112",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ]
    assert level["1"][0] == "tile/1/000"
    assert level["3"] == []


def test_a_tree_of_256_has_a_full_tile_and_one_hash_above():
    assert list(tiles.tile_paths(256)) == ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]
    assert list(tiles.tile_paths(0)) == []


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, len(ENTRIES)), min_size=1, max_size=6, unique=True).map(sorted))
def test_a_log_grown_in_any_steps_has_the_files_of_its_size(sizes):
    files, size = grown(sizes), sizes[-1]
    at_once = grown([size])
    assert sorted(at_once) == sorted(tiles.tile_paths(size))
    assert {path: files[path] for path in at_once} == at_once
    assert tiles.tree_root(files.__getitem__, size) == merkle.root(ENTRIES[:size])


SIZES = (1, 2, 255, 256, 257, 300, 511, 512, 513, 1100)


@pytest.mark.parametrize("size", SIZES)
def test_proofs_from_tiles_are_those_from_memory(size):
    read = grown([size]).__getitem__
    tree = merkle.Tree(ENTRIES[:size])
    for at in {0, 1, 100, 255, 256, 511, size // 2, size - 1} & set(range(size)):
        assert tiles.inclusion_from_tiles(read, at, size) == tree.inclusion(at)
        assert tiles.consistency_from_tiles(read, at, size) == tree.consistency(at)
        assert tiles.prefix_root(read, at, size) == merkle.root(ENTRIES[:at])


def test_bundles_hold_every_entry_behind_its_length():
    files = grown([300, 600])
    assert files["tile/entries/000"][:34] == b"\x00\x20" + ENTRIES[0]
    held = [
        entry
        for index, width in enumerate((256, 256, 88))
        for entry in tiles.entries_of(files[tiles.bundle_path(index, width)], width)
    ]
    assert held == ENTRIES[:600]


def test_growing_by_nothing_writes_nothing():
    assert tiles.new_tiles({}.__getitem__, 5, 5, []) == []


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\x20" + b"a" * 31, b"\0\1ab", b"\0\1a\0\1b"])
def test_a_bundle_that_is_not_whole_is_damaged(data):
    with pytest.raises(Damaged):
        tiles.entries_of(data, 1)


def test_a_tile_of_another_length_is_damaged():
    files = grown([5])
    files["tile/0/000.p/5"] += b"\0"
    for use in (
        lambda: tiles.tree_root(files.__getitem__, 5),
        lambda: tiles.new_tiles(files.__getitem__, 5, 6, ENTRIES[5:6]),
    ):
        with pytest.raises(Damaged) as caught:
            use()
        assert caught.value.where == "tile/0/000.p/5"


def test_each_tile_is_read_once_for_a_proof():
    files, seen = grown([1100]), []

    def read(path):
        seen.append(path)
        return files[path]

    tiles.inclusion_from_tiles(read, 3, 1100)
    assert len(seen) == len(set(seen))
