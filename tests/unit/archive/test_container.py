"""A backup's container: what was written comes back, and nothing else is ever believed."""

import io
import tarfile
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.adapters.archive.container import Part, Writer, tail, whole
from inland.adapters.archive.names import place
from inland.adapters.archive.reader import Reader
from inland.domain.errors import Damaged
from inland.ledger import canonical

FILES = {
    "inland.db": b"database" * 10,
    "factory.toml": b"[site]\n",
    "keys/operator": b"secret\n",
    "keys/tenants/acme": bytes(range(32)),
    "records/acme/w1.jsonl": b"{}\n" * 40,
    "journal/w1/0000000000000000.frames": b"",
    "ledger/checkpoint": b"note",
    "ledger/tile/0/000.p/5": b"h" * 160,
}


def written(files=FILES, piece_bytes=1 << 20, chunk=50):
    out = io.BytesIO()
    writer = Writer(out, {"taken": 5}, piece_bytes)
    for path, data in files.items():
        cut = [data[at : at + chunk] for at in range(0, len(data), chunk)]
        writer.add(Part(path, len(data), cut.copy))
    return writer.finish(), out.getvalue()


def read(data, piece_bytes=1 << 20):
    reader = Reader(io.BytesIO(data), piece_bytes)
    found = {path: b"".join(chunks) for path, chunks in reader.parts()}
    return reader, found


def test_what_was_written_is_read_back():
    digest, data = written()
    reader, found = read(data)
    assert found == FILES
    assert reader.digest == digest
    assert reader.head["taken"] == 5


def content(tar, name):
    file = tar.extractfile(name)
    assert file is not None
    return file.read()


@given(st.integers(1, 700), st.integers(1, 900), st.integers(0, 2000))
def test_a_file_larger_than_a_piece_comes_back_whole(piece_bytes, chunk, size):
    files = {"inland.db": Random(size).randbytes(size), "factory.toml": b"x"}
    _, data = written(files, piece_bytes + 200, chunk)  # the head itself has fewer bytes
    assert read(data, piece_bytes + 200)[1] == files


def test_anybodys_tar_lists_it():
    _, data = written()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
        held = {name: content(tar, name) for name in FILES}
        manifest = content(tar, "manifest.jsonl")
    assert names == ["inland-backup.json", *FILES, "manifest.jsonl", "sha256"]
    assert held == FILES
    said = {line["path"]: line for line in map(canonical.decode, manifest.splitlines())}
    for path, kept in FILES.items():
        assert said[path]["sha256"] == sha256(kept).hexdigest()
        assert said[path]["size"] == len(kept)


def test_a_changed_bit_anywhere_is_refused():
    _, data = written()
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
        with pytest.raises(Damaged):
            read(changed)


def test_a_missing_end_or_an_added_byte_is_refused():
    _, data = written()
    for cut in [*range(0, len(data), 61), len(data) - 1]:
        with pytest.raises(Damaged):
            read(data[:cut])
    for more in (b"\0", b"x" * 600, bytes(10240)):
        with pytest.raises(Damaged):
            read(data + more)


def forged(members):
    """A backup whose hashes are all right, of whatever headers and bytes."""
    head = canonical.encode({"format": "inland-backup/1"})
    body, manifest = bytearray(), bytearray()
    plain = tarfile.TarInfo("inland-backup.json")
    for info, data in [(plain, head), *members]:
        info.size = len(data) if info.isreg() else 0
        info.mode = 0o600
        body += info.tobuf(tarfile.GNU_FORMAT if not info.isreg() else tarfile.USTAR_FORMAT)
        body += data + bytes(-len(data) % 512) if info.isreg() else b""
        said = {"path": info.name, "sha256": sha256(data).hexdigest(), "size": len(data)}
        manifest += canonical.encode(said) + b"\n"
    info = tarfile.TarInfo("manifest.jsonl")
    info.size, info.mode = len(manifest), 0o600
    body += info.tobuf(tarfile.USTAR_FORMAT) + manifest + bytes(-len(manifest) % 512)
    return bytes(body) + tail(sha256(body).hexdigest())


def plain(name, data=b"x"):
    return tarfile.TarInfo(name), data


def link(name, target, kind):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def test_a_forged_one_of_allowed_files_is_read():
    assert read(forged([plain("inland.db"), plain("keys/a")]))[1] == {
        "inland.db": b"x",
        "keys/a": b"x",
    }


@pytest.mark.parametrize(
    "members",
    [
        [plain("../out")],
        [plain("/etc/passwd")],
        [plain("keys/../../out")],
        [plain("keys//a")],
        [plain("keys/./a")],
        [plain("keys")],
        [plain("keys/")],
        [plain("inland.db/x")],
        [plain("run/lock")],
        [plain("vault/x")],
        [plain("keys/log")],
        [plain("keys/log.new")],
        [plain("keys/logs/old")],
        [plain("keys/.hidden")],
        [plain("keys/a b")],
        [plain("keys/a\nb")],
        [plain("other.txt")],
        [plain("inland.db"), plain("inland.db")],
        [plain("keys/b"), plain("keys/a")],
        [plain("factory.toml"), plain("inland.db")],
        [plain("inland.db~0001")],
        [plain("inland.db"), plain("inland.db~0001")],
        [plain("inland.db"), plain("inland-backup.json")],
        [plain("a/" * 40 + "b")],
        [plain("ledger/" + "a/" * 12 + "b")],
        [link("keys/a", "/etc/passwd", tarfile.SYMTYPE)],
        [link("keys/a", "factory.toml", tarfile.LNKTYPE)],
        [link("keys/a", "", tarfile.DIRTYPE)],
        [link("keys/a", "", tarfile.CHRTYPE)],
        [link("keys/a", "", tarfile.FIFOTYPE)],
        [link("keys/a", "", tarfile.GNUTYPE_LONGNAME)],
        [link("keys/a", "", tarfile.GNUTYPE_SPARSE)],
        [link("keys/a", "", tarfile.XHDTYPE)],
    ],
    ids=lambda members: members[-1][0].name[:30] + str(members[-1][0].type),
)
def test_a_hostile_member_is_refused_though_every_hash_is_right(members):
    with pytest.raises(Damaged):
        read(forged(members))


def test_a_size_that_is_not_there_costs_no_memory():
    info = tarfile.TarInfo("inland.db")
    info.size, info.mode = 8 << 30, 0o600
    head = forged([])[: 2 * 512]
    with pytest.raises(Damaged, match="header"):
        read(head + info.tobuf(tarfile.GNU_FORMAT), 4 << 30)
    info.size = 4 << 30
    with pytest.raises(Damaged, match="too early"):
        read(head + info.tobuf(tarfile.USTAR_FORMAT) + b"x" * 512, 4 << 30)


def test_another_format_is_refused_by_name():
    out = io.BytesIO()
    Writer(out, {"format": "inland-backup/2"}).finish()
    with pytest.raises(Damaged, match="inland-backup/2"):
        read(out.getvalue())


@pytest.mark.parametrize("chunks", [[b"a" * 9], [b"a" * 11], [b"a" * 10, b"b"], []])
def test_a_file_that_is_not_as_long_as_was_said_is_not_kept(chunks):
    writer = Writer(io.BytesIO(), {})
    with pytest.raises(Damaged, match="10 bytes"):
        writer.add(Part("inland.db", 10, lambda: chunks))


def test_the_signing_key_belongs_into_no_backup():
    for path in ("keys/log", "keys/log.new", "keys/log-2", "keys/logs/a"):
        assert place(path) is None
        with pytest.raises(Damaged):
            Writer(io.BytesIO(), {}).add(whole(path, b"seed"))
    assert place("keys/head") is not None
