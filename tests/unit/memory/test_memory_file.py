"""A memory file is read and nothing else, lies on no disk, and is gone when closed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inland.adapters.memory.memory_file import MemoryFile, MemoryFiles
from inland.domain.errors import BadInput, Busy


def test_it_holds_what_it_was_given_and_a_child_reads_it():
    with MemoryFile([b"a planted ", b"canary"]) as file:
        assert file.bytes == 16
        assert Path(f"/proc/self/fd/{file.fd}").read_bytes() == b"a planted canary"
        code = f"print(open('/proc/self/fd/{file.fd}').read())"
        argv = [sys.executable, "-c", code]
        told = subprocess.run(argv, pass_fds=[file.fd], capture_output=True, check=True)
        assert told.stdout == b"a planted canary\n"


def test_nobody_changes_it():
    with MemoryFile([b"x" * 100]) as file:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(file.fd, b"y")
        with pytest.raises(OSError, match="not permitted"):
            Path(f"/proc/self/fd/{file.fd}").write_bytes(b"y")
        assert Path(f"/proc/self/fd/{file.fd}").read_bytes() == b"x" * 100


def test_no_disk_has_a_name_of_it_and_it_ends_when_closed():
    file = MemoryFile([b"x"])
    assert str(Path(f"/proc/self/fd/{file.fd}").readlink()).startswith("/memfd:inland")
    assert os.fstat(file.fd).st_nlink == 0
    fd = file.fd
    file.close()
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_what_fails_while_it_is_filled_leaves_nothing_open():
    def chunks():
        yield b"x"
        raise ValueError("no more")

    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ValueError, match="no more"):
        MemoryFile(chunks())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_there_is_no_memory_for_is_refused_before_it_is_opened():
    opened = []

    def chunks():
        opened.append(True)
        yield b""

    with pytest.raises(Busy, match="memory"):
        MemoryFiles("none").hold(1 << 60, chunks())
    assert opened == []


def test_what_is_no_weights_is_refused_by_name():
    memory = MemoryFiles("none")
    file = memory.hold(5, [b"#!/bin/sh"])
    with pytest.raises(BadInput, match="script"):
        memory.inspect(file)
    file.close()


def test_a_room_is_written_to_and_stays_as_long_as_it_was_made():
    room = MemoryFiles("none").room(100)
    path = Path(f"/proc/self/fd/{room.fd}")
    with path.open("r+b") as file:
        file.write(b"what was learned")
    assert room.read(5, 11) == b"was learned"
    with pytest.raises(OSError, match="not permitted"):
        os.pwrite(room.fd, b"x", 100)
    with pytest.raises(OSError, match="not permitted"):
        os.ftruncate(room.fd, 10)
    assert (room.bytes, len(room.read(0, 999))) == (100, 100)
    room.close()
    assert room.fd < 0
