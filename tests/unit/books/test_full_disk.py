"""A disk that fills up in the middle of a commit, with a booker that reads meanwhile."""

import errno
import os

import pytest

from inland.adapters.files.disk import Disk
from inland.adapters.files.journal import Segments
from inland.domain.ids import WriterId
from inland.ledger.frames import FrameKind
from inland.plant.books import journals
from inland.ports.files import DiskFull


class Room:
    """Stands before `os.pwritev`: `left` bytes fit, then the disk is full. None: all fit."""

    def __init__(self, monkeypatch):
        self.left = None
        self._pwritev = os.pwritev
        monkeypatch.setattr(os, "pwritev", self._write)

    def _write(self, fd, buffers, offset, flags=0):
        if self.left is None:
            return self._pwritev(fd, buffers, offset, flags)
        data = bytes(buffers[0])[: self.left]
        if not data:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= len(data)
        return self._pwritev(fd, [data], offset, flags)


def test_what_a_booker_read_of_a_commit_that_found_the_disk_full_stays(tmp_path, monkeypatch):
    room, files = Room(monkeypatch), Disk(tmp_path)
    files.make_dir("journal")
    segments = Segments(files, WriterId("w"))
    segments.commit([(FrameKind.RECORD, b'{"id":"first"}')])
    booked = journals.read(files, "w", 0, sync=True)[-1].end
    waiting = [(FrameKind.RECORD, b'{"id":"second"}'), (FrameKind.RECORD, b'{"id":"third"}')]
    room.left = 50
    with pytest.raises(DiskFull):
        segments.commit(waiting)
    found = journals.read(files, "w", booked, sync=True)
    assert [frame.payload for frame in found] == [b'{"id":"second"}']
    booked = found[-1].end
    room.left = 10
    with pytest.raises(DiskFull):
        segments.commit(waiting)
    assert journals.read(files, "w", booked, sync=True) == []
    room.left = None
    segments.commit(waiting)
    segments.commit([(FrameKind.RECORD, b'{"id":"fourth"}')])
    rest = journals.read(files, "w", booked, sync=True)
    assert [frame.payload for frame in rest] == [b'{"id":"third"}', b'{"id":"fourth"}']
    segments.close()
