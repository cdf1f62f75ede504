"""A process is handed what control says it is to have, or told why not."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from inland.adapters.memory import handing
from inland.adapters.memory.handing import HandingSocket, ask
from inland.adapters.memory.memory_file import MemoryFile
from inland.domain.errors import Conflict


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    def handed(process: str, pid: int, adapters: tuple[str, ...]) -> list[MemoryFile]:
        assert pid == os.getpid(), "the kernel says who asks"
        if process != "engine-a":
            raise Conflict(process, "acme has withdrawn its keys")
        return [MemoryFile([one.encode()]) for one in ("weights", *adapters)]

    socket = HandingSocket(tmp_path / "handing.sock", handed)
    thread = threading.Thread(target=socket.serve)
    thread.start()
    yield tmp_path / "handing.sock"
    socket.close()
    thread.join()


def test_who_may_have_it_gets_a_descriptor_that_reads_it(path: Path) -> None:
    for _ in range(handing.ASKERS * 2):
        (fd,) = ask(path, "engine-a")
        assert os.pread(fd, 100, 0) == b"weights"
        os.close(fd)


def test_adapters_come_in_the_order_that_they_were_asked_for_in(path: Path) -> None:
    asked = [f"{number:036d}" for number in range(handing.FILES - 1)]
    fds = ask(path, "engine-a", asked)
    assert [os.pread(fd, 100, 0).decode() for fd in fds] == ["weights", *asked]
    for fd in fds:
        os.close(fd)


def test_who_may_not_is_told_why(path: Path) -> None:
    with pytest.raises(Conflict, match="acme has withdrawn its keys"):
        ask(path, "engine-b")


def test_a_control_that_never_comes_is_given_up(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(handing, "CONTROL_S", 0.2)
    with pytest.raises(Conflict, match="hands over nothing"):
        ask(tmp_path / "nobody.sock", "engine-a")
