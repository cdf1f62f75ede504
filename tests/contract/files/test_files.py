"""What every file layer does alike: the real disk, and the one that forgets."""

import pytest

from inland.adapters.files.disk import Disk
from inland.adapters.files.forgetful import ForgetfulDisk
from inland.adapters.memory.pages import pages
from inland.ports.files import Files


@pytest.fixture(params=["disk", "forgetful"])
def files(request, tmp_path) -> Files:
    if request.param == "disk":
        return Disk(tmp_path)
    return ForgetfulDisk().process("test")


def write(files: Files, path: str, data: bytes) -> None:
    file = files.open(path, create=True)
    file.append(data)
    file.close()


def content(files: Files, path: str) -> bytes:
    file = files.open(path)
    try:
        return file.read(0, 1 << 20)
    finally:
        file.close()


def test_appends_and_commits_follow_one_another(files):
    file = files.open("f", create=True)
    file.append(b"one")
    file.commit(b"two")
    file.sync()
    assert (file.size(), file.read(0, 99)) == (6, b"onetwo")
    file.close()


LARGE = bytes(range(256)) * 16 * 300


@pytest.mark.parametrize("before", [0, 4096, 4097])
@pytest.mark.parametrize("length", [len(LARGE), len(LARGE) - 1, 1 << 20, 1 << 12])
def test_large_commits_follow_as_small_ones_do_whatever_memory_they_come_from(
    files, before, length
):
    """What goes past the page cache: from pages, and from where the disk cannot take it."""
    file, room = files.open("f", create=True), pages(length + 4096)
    file.commit(bytes(before))
    for at in (0, 7):
        room[at : at + length] = LARGE[:length]
        file.commit(room[at : at + length])
    file.commit(b"end")
    assert file.read(0, 1 << 23) == bytes(before) + LARGE[:length] * 2 + b"end"
    file.close()


@pytest.mark.parametrize("offset", [0, 4096, 4097])
def test_what_is_read_into_a_room_is_what_lies_there(files, offset):
    write(files, "f", LARGE)
    file = files.open("f")
    for room in (pages(len(LARGE)), pages(2 << 20)[7:], pages(1), pages(len(LARGE))[: 2 << 19]):
        got = file.read_into(offset, room)
        assert bytes(room[:got]) == LARGE[offset:][: len(room)]
    assert file.read_into(len(LARGE), pages(2 << 20)) == 0
    file.close()


def test_a_file_opened_again_is_appended_to(files):
    write(files, "f", b"one")
    write(files, "f", b"two")
    assert content(files, "f") == b"onetwo"


def test_reads_are_shorter_only_at_the_end(files):
    write(files, "f", b"abcdef")
    file = files.open("f")
    assert [file.read(1, 3), file.read(4, 9), file.read(6, 1)] == [b"bcd", b"ef", b""]
    file.close()


def test_an_append_after_a_cut_goes_where_the_cut_was(files):
    file = files.open("f", create=True)
    file.append(b"abcdef")
    file.truncate(2)
    file.append(b"X")
    assert file.read(0, 9) == b"abX"
    file.close()


def test_another_reader_sees_what_was_appended_since(files):
    reader_of = files.open("f", create=True)
    write(files, "f", b"later")
    assert (reader_of.size(), reader_of.read(0, 9)) == (5, b"later")
    reader_of.close()


def test_opening_what_is_not_there_says_so(files):
    with pytest.raises(FileNotFoundError):
        files.open("missing")
    with pytest.raises(FileNotFoundError):
        files.open("no/such/folder", create=True)


def test_folders_list_their_names_in_order(files):
    files.make_dir("d")
    for name in ("b", "c", "a"):
        write(files, f"d/{name}", b"")
    files.make_dir("d/e")
    assert files.list("d") == ["a", "b", "c", "e"]
    assert files.list("") == ["d"]
    assert files.list("missing") == []


def test_a_folder_is_made_once_and_in_a_parent(files):
    files.make_dir("d")
    with pytest.raises(FileExistsError):
        files.make_dir("d")
    with pytest.raises(FileNotFoundError):
        files.make_dir("missing/d")


def test_a_rename_replaces_a_file_and_moves_a_folder_whole(files):
    write(files, "old", b"old")
    write(files, "new", b"new")
    files.rename("new", "old")
    assert (content(files, "old"), files.exists("new")) == (b"new", False)
    files.make_dir("d")
    write(files, "d/f", b"x")
    files.make_dir("elsewhere")
    files.rename("d", "elsewhere/d")
    assert content(files, "elsewhere/d/f") == b"x"
    assert not files.exists("d")


def test_what_is_overwritten_is_zeros_of_the_same_size(files):
    write(files, "f", b"a secret" * 300_000)
    file = files.open("f")
    file.overwrite()
    file.sync()
    assert file.size() == 2_400_000
    assert not any(file.read(0, file.size()))
    file.close()


def test_removing_takes_the_name(files):
    write(files, "f", b"")
    files.remove("f")
    assert not files.exists("f")
    with pytest.raises(FileNotFoundError):
        files.remove("f")


def test_only_an_empty_folder_is_removed(files):
    files.make_dir("d")
    write(files, "d/f", b"")
    with pytest.raises(OSError, match="not empty"):
        files.remove_dir("d")
    files.remove("d/f")
    files.remove_dir("d")
    assert not files.exists("d")


def test_a_lock_is_one_holders_until_let_go_and_follows_its_file(files):
    files.make_dir("aside")
    held = files.lock("aside/lock")
    assert held is not None
    files.rename("aside", "place")
    assert files.lock("place/lock") is None
    held.release()
    again = files.lock("place/lock")
    assert again is not None
    again.release()


def test_syncing_what_is_there_is_no_error(files):
    files.make_dir("d")
    write(files, "d/f", b"x")
    for folder in ("d", ""):
        files.sync_dir(folder)
    assert files.free_bytes() > 0
