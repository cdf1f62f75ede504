"""Sockets, named pipes and devices are found in what may be read, however they came to be there."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inland.adapters.isolation.shut_in import NONE, available
from inland.adapters.silence.view import followed, special

_FIND = """
import sys
from pathlib import Path
from inland.adapters.silence.view import followed, special
given, *without = map(Path, sys.argv[1:])
print(*sorted(special((given,), without=without)), sep="\\n")
"""
#: Mounts each second argument at the next, up to one of `--`, and becomes what follows.
_MOUNT = (
    'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 9; shift 2; done; shift; exec "$@"'
)
unshared = pytest.mark.skipif(available() == NONE, reason="this kernel gives no namespaces")


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder with a socket and a named pipe that somebody else has."""
    folder = tmp_path / "outside"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(folder / "socket"))
        yield folder


def test_what_a_folder_lists_is_found(outside: Path) -> None:
    assert set(special((outside,))) == {outside / "pipe", outside / "socket"}
    assert not set(special((outside.parent,), without=(outside,)))


def test_a_link_is_followed_and_what_it_leads_to_is_looked_through_once(outside: Path) -> None:
    link, folder = outside.with_name("link"), outside.with_name("folder")
    link.symlink_to("folder")
    folder.symlink_to(outside)
    assert set(followed((link, folder / "pipe"))) == {link, outside, outside / "pipe"}
    assert set(special(followed((link,)))) == {outside / "pipe", outside / "socket"}


@unshared
def test_what_is_mounted_on_a_plain_file_is_found(outside: Path, tmp_path: Path) -> None:
    """The folder lists the plain file beneath it."""
    given = tmp_path / "given"
    (given / "deep").mkdir(parents=True)
    (given / "hidden").mkdir()
    at = [given / "socket", given / "deep" / "pipe", given / "deep" / "plain", given / "hidden/s"]
    for one in (*at, outside / "plain"):
        one.touch()
    kinds = ("socket", "pipe", "plain", "socket")
    pairs = [str(one) for kind, to in zip(kinds, at, strict=True) for one in (outside / kind, to)]
    find = [sys.executable, "-c", _FIND, str(given), str(given / "hidden")]
    argv = ["unshare", "-Urm", "sh", "-c", _MOUNT, "sh", *pairs, "--", *find]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(at[1]), str(at[0])]
