"""Logs of lanes are bounded, and whatever becomes of them a lane goes on."""

import errno
import os

from inland.adapters.files import lane_logs


def opener(tmp_path):
    (tmp_path / "logs" / "admission").mkdir(parents=True)
    opened = lane_logs.lane_logs(tmp_path, "w")
    assert opened is not None
    return opened


def logs(tmp_path):
    return sorted((tmp_path / "logs" / "admission").iterdir())


def test_a_log_ends_where_it_is_full_and_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(lane_logs, "LOG_BYTES", 10)
    monkeypatch.setattr(lane_logs, "FOLDER_BYTES", 16)
    opened = opener(tmp_path)
    for _ in range(2):  # of a deployment that was removed and made again
        write = opened("smol")
        assert write is not None
        for _ in range(5):
            write(b"1234\n")
    assert opened("smol") is None
    assert [one.read_bytes() for one in logs(tmp_path)] == [b"1234\n1234\n"] * 2


def test_a_disk_that_is_full_ends_the_log_and_not_the_lane(tmp_path, monkeypatch):
    opened, write_of = opener(tmp_path), os.write
    write = opened("smol")
    assert write is not None
    write(b"1234\n")
    monkeypatch.setattr(os, "write", lambda file, line: write_of(file, line[:2]))
    write(b"5678\n")
    assert [one.read_bytes() for one in logs(tmp_path)] == [b"1234\n"]

    def full(_file, _line):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "write", write_of)
    other = opened("other")
    assert other is not None
    monkeypatch.setattr(os, "write", full)
    other(b"1234\n")
    monkeypatch.setattr(os, "write", write_of)
    for again in (write, other):
        again(b"9\n")
    assert [one.read_bytes() for one in logs(tmp_path)] == [b"1234\n", b""]
