"""Go's sumdb/note and sumdb/tlog, an implementation that shares no code with ours, read our log."""

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from inland.ledger import merkle, notes, tiles
from tests.unit.ledger import example

GOPATH = Path("/usr/share/gocode")
PROGRAM = Path(__file__).with_name("checklog.go")
#: Every way in which tiles can be full or partial, and one tile above another.
STEPS = (1, 2, 255, 256, 300, 512, 700)
ENTRIES = [sha256(b"entry %d" % number).digest() for number in range(STEPS[-1])]


@pytest.fixture(scope="module")
def checklog(tmp_path_factory):
    """The Go program, built from Debian's sources without a network."""
    if not shutil.which("go") or not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("needs the Debian packages golang-go and golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("go")
    built = folder / "checklog"
    settings = {"GO111MODULE": "off", "GOFLAGS": "", "GOPATH": str(GOPATH)}
    subprocess.run(
        ["go", "build", "-o", built, PROGRAM],
        env={**os.environ, **settings, "GOCACHE": str(folder / "cache")},
        check=True,
        timeout=300,
    )
    return built


def write_log(folder: Path, sizes: tuple[int, ...]) -> None:
    """Grow a log on disk through `sizes` and sign its head."""
    for old, new in zip((0, *sizes), sizes, strict=False):
        for path, data in tiles.new_tiles(read(folder), old, new, ENTRIES[old:new]):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
    size = sizes[-1]
    root = tiles.tree_root(read(folder), size)
    body = notes.checkpoint_body(example.ORIGIN, size, root).decode()
    (folder / "checkpoint").write_text(example.signed(body))


def read(folder: Path) -> tiles.Read:
    return lambda path: (folder / path).read_bytes()


def run(program: Path, folder: Path, vkey: str = example.VKEY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, folder, vkey], capture_output=True, text=True, timeout=300, check=False
    )


def expected(size: int) -> list[str]:
    """What the Go program must print: our own proofs of every record and every older tree."""
    tree = merkle.Tree(ENTRIES[:size])
    lines = [["record", str(n), *map(bytes.hex, tree.inclusion(n))] for n in range(size)]
    for old in range(1, size + 1):
        root = merkle.root(ENTRIES[:old]).hex()
        lines.append(["tree", str(old), root, *map(bytes.hex, tree.consistency(old))])
    return [" ".join(line) for line in lines]


@pytest.mark.parametrize("count", range(1, len(STEPS) + 1))
def test_go_accepts_the_log_and_makes_the_same_proofs(checklog, tmp_path, count):
    write_log(tmp_path, STEPS[:count])
    done = run(checklog, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected(STEPS[count - 1])


def test_go_refuses_a_log_that_was_changed(checklog, tmp_path):
    """Else its acceptance would say nothing."""
    write_log(tmp_path, STEPS[:5])
    assert run(checklog, tmp_path).returncode == 0
    for name in ("checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/entries/000"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[:9] + bytes([data[9] ^ 1]) + data[10:])
        assert run(checklog, tmp_path).returncode != 0, name
        (tmp_path / name).write_bytes(data)
    assert run(checklog, tmp_path, notes.vkey(example.ORIGIN, bytes(32))).returncode != 0
