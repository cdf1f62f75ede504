"""What only the forgetting disk can show: that nothing lasts but what was synced."""

from random import Random

import pytest

from inland.adapters.files.forgetful import ForgetfulDisk


@pytest.fixture
def disk() -> ForgetfulDisk:
    return ForgetfulDisk()


@pytest.fixture
def files(disk):
    return disk.process("test")


def test_a_name_lasts_only_when_its_folder_was_synced(disk, files):
    files.open("f", create=True).commit(b"x")
    disk.crash()
    assert not files.exists("f")
    files.open("f", create=True).commit(b"x")
    files.sync_dir("")
    disk.crash()
    assert files.open("f").read(0, 9) == b"x"


def test_bytes_last_only_when_their_file_was_synced(disk, files):
    file = files.open("f", create=True)
    file.commit(b"one")
    files.sync_dir("")
    file.append(b"two")
    disk.crash()
    assert files.open("f").read(0, 9) == b"one"


def test_a_cut_lasts_only_when_it_was_synced(disk, files):
    file = files.open("f", create=True)
    file.commit(b"abc")
    files.sync_dir("")
    file.truncate(1)
    disk.crash()
    assert files.open("f").size() == 3


def test_a_rename_lasts_whole_or_not_at_all(disk, files):
    for folder in ("a", "b"):
        files.make_dir(folder)
    files.open("a/f", create=True).sync()
    for folder in ("a", ""):
        files.sync_dir(folder)
    files.rename("a/f", "b/f")
    disk.crash()
    assert (files.list("a"), files.list("b")) == (["f"], [])
    files.rename("a/f", "b/f")
    files.sync_dir("a")
    disk.crash()
    assert (files.list("a"), files.list("b")) == ([], ["f"])


def test_killing_a_process_frees_its_locks_and_keeps_its_bytes(disk, files):
    other = disk.process("other")
    assert files.lock("lock") is not None
    files.open("f", create=True).append(b"x")
    assert other.lock("lock") is None
    disk.kill("test")
    assert other.lock("lock") is not None
    assert other.open("f").read(0, 9) == b"x"


def test_a_crash_may_keep_any_part_of_what_was_not_synced(disk, files):
    found = set()
    for seed in range(200):
        disk = ForgetfulDisk()
        file = disk.process("test").open("f", create=True)
        disk.process("test").sync_dir("")
        file.commit(b"a")
        file.append(b"bc")
        disk.crash(Random(seed))
        found.add(disk.process("test").open("f").read(0, 9))
    assert found >= {b"a", b"ab", b"abc", b"a\0\0"}
