"""Past the page cache: exactly the bytes that were given, wherever they are put or come from."""

import os
from pathlib import Path

import pytest

from inland.adapters.files import past_cache
from inland.adapters.memory.pages import pages

LENGTH = (2 << 20) + 29


@pytest.fixture
def filled() -> memoryview:
    room = pages(LENGTH)
    room[:LENGTH] = os.urandom(LENGTH)
    return room


def test_whole_pages_go_past_it_and_lie_where_they_were_put(tmp_path: Path, filled: memoryview):
    with (tmp_path / "f").open("w+b") as file:
        done = past_cache.write(file.fileno(), filled[:LENGTH], 4096)
        assert done in {0, 2 << 20}, "nothing where the file system is not made for it"
        past_cache.write_whole(file.fileno(), filled[:LENGTH], 4096)
        assert (tmp_path / "f").read_bytes() == bytes(4096) + bytes(filled[:LENGTH])


@pytest.mark.parametrize(("at", "length"), [(1, LENGTH), (0, 4096), (0, 100)])
def test_what_is_not_made_for_it_is_left(tmp_path: Path, filled: memoryview, at: int, length: int):
    with (tmp_path / "f").open("w+b") as file:
        assert past_cache.write(file.fileno(), filled[:length], at) == 0
        past_cache.write_whole(file.fileno(), filled[:length], at)
        assert (tmp_path / "f").read_bytes() == bytes(at) + bytes(filled[:length])


def test_memory_that_begins_anywhere_is_written_all_the_same(tmp_path: Path, filled: memoryview):
    with (tmp_path / "f").open("w+b") as file:
        past_cache.write_whole(file.fileno(), filled[7:LENGTH], 0)
        assert (tmp_path / "f").read_bytes() == bytes(filled[7:LENGTH])


def test_a_memory_file_has_no_disk_and_is_written_all_the_same(filled: memoryview):
    fd = os.memfd_create("test")
    try:
        past_cache.write_whole(fd, filled[:LENGTH], 0)
        room = pages(LENGTH)
        got = past_cache.read(fd, room, 0) or os.preadv(fd, [room], 0)
        assert got == LENGTH
        assert room == filled
    finally:
        os.close(fd)
