"""A memory file is read and nothing else, lies on no disk, and is gone when closed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inland.adapters.vault.plaintext import MemoryFile


def test_it_holds_what_it_was_given_and_a_child_reads_it():
    with MemoryFile([b"a planted ", b"canary"]) as file:
        assert file.bytes == 16
        assert Path(file.path).read_bytes() == b"a planted canary"
        code = f"print(open('/proc/self/fd/{file.fd}').read())"
        argv = [sys.executable, "-c", code]
        told = subprocess.run(argv, pass_fds=[file.fd], capture_output=True, check=True)
        assert told.stdout == b"a planted canary\n"


def test_nobody_changes_it():
    with MemoryFile([b"x" * 100]) as file:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(file.fd, b"y")
        with pytest.raises(OSError, match="not permitted"):
            Path(file.path).write_bytes(b"y")
        assert Path(file.path).read_bytes() == b"x" * 100


def test_no_disk_has_a_name_of_it_and_it_ends_when_closed():
    file = MemoryFile([b"x"])
    assert str(Path(file.path).readlink()).startswith("/memfd:inland")
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
