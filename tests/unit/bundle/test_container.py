"""A bundle is what its maker signed, to the byte, or nothing of it is written."""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from inland.adapters.bundle import container
from inland.adapters.bundle.key import BundleKey
from inland.adapters.bundle.manifest import FORMAT, Entry, Manifest
from inland.adapters.weights.cache import WeightsCache
from inland.bootstrap.bundle import import_
from inland.domain.errors import Conflict, Damaged
from inland.ledger import notes

FILES = {
    "models/m/weights.gguf": b"weights" * 1000,
    "policies/a.cedar": b"permit (principal, action, resource);",
    "requirements": b"",
    "wheels/a-1.0-py3-none-any.whl": b"wheel",
}


@pytest.fixture
def key(tmp_path: Path) -> BundleKey:
    return BundleKey(tmp_path / "bundles.key")


def manifest(files: dict[str, bytes]) -> Manifest:
    entries = [
        Entry(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in files.items()
    ]
    return Manifest({"inland": "0.1.0"}, tuple(entries))


def tarred(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """As any tar would write it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    whole = out.getvalue().rstrip(b"\0")
    return whole + bytes(-len(whole) % 512) + bytes(1024)


def member(
    name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.type, info.linkname = size, 0o600, kind, link
    return info


def bundle(key: BundleKey, files: dict[str, bytes] | None = None) -> bytes:
    """An honest one, as another tar writes it: the form is a tar's own."""
    held = FILES if files is None else files
    note = key.sign(manifest(held).text()).encode()
    rows = [(member(path, len(data)), data) for path, data in held.items()]
    return tarred([(member("MANIFEST", len(note)), note), *rows])


def imported(tmp_path: Path, data: bytes, vkey: str) -> Path:
    file, into = tmp_path / "bundle", tmp_path / "made" / "into"
    file.write_bytes(data)
    into.parent.mkdir(exist_ok=True)
    cache = WeightsCache(tmp_path / "cache", {})
    import_(file, vkey, into, cache, lambda _: None, lambda *_: None)
    return into


def refused(tmp_path: Path, data: bytes, vkey: str, why: str) -> None:
    with pytest.raises(Damaged, match=why):
        imported(tmp_path, data, vkey)
    assert list((tmp_path / "made").iterdir()) == []
    assert not (tmp_path / "cache").exists()


def test_what_was_exported_is_imported_and_any_tar_reads_it(key: BundleKey, tmp_path: Path) -> None:
    for path, data in FILES.items():
        (tmp_path / "from" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "from" / path).write_bytes(data)
    held = manifest(FILES)
    out = io.BytesIO()
    note = key.sign(held.text())
    digest = container.write(out, note, held, lambda one: tmp_path / "from" / one, lambda *_: None)
    assert digest == hashlib.sha256(out.getvalue()).hexdigest()
    assert out.getvalue() == bundle(key)
    into = imported(tmp_path, out.getvalue(), key.vkey)
    assert {path: (into / path).read_bytes() for path in FILES} == FILES
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as plain:
        assert plain.getnames() == ["MANIFEST", *FILES]


def _put_first(info: tarfile.TarInfo, data: bytes = b"") -> Callable[[BundleKey], bytes]:
    """A member that was signed by nobody, before the others."""

    def made(key: BundleKey) -> bytes:
        note = key.sign(manifest(FILES).text()).encode()
        rows = [(member(path, len(one)), one) for path, one in FILES.items()]
        return tarred([(member("MANIFEST", len(note)), note), (info, data), *rows])

    return made


def _last(info: tarfile.TarInfo, data: bytes = b"") -> Callable[[BundleKey], bytes]:
    return lambda key: bundle(key)[:-1024] + tarred([(info, data)])


_FIRST = next(iter(FILES))
HOSTILE: dict[str, tuple[Callable[[BundleKey], bytes], str]] = {
    "a path that leads out": (_put_first(member("../../x", 1), b"x"), r"another file .*\.\./x"),
    "an absolute path": (_put_first(member("/etc/cron.d/x", 1), b"x"), "another file"),
    "a link": (_put_first(member(_FIRST, 0, tarfile.SYMTYPE, "/etc/passwd")), "holds a link"),
    "a hard link": (_put_first(member("x", 0, tarfile.LNKTYPE, "/etc/passwd")), "a hard link"),
    "a device": (_put_first(member(_FIRST, 0, tarfile.CHRTYPE)), "a device"),
    "a pipe": (_put_first(member(_FIRST, 0, tarfile.FIFOTYPE)), "a pipe"),
    "a block device": (_put_first(member(_FIRST, 0, tarfile.BLKTYPE)), "a device"),
    "a long name": (_put_first(member("././@LongLink", 9, b"L"), b"../../etc"), "another file"),
    "a header of its own": (
        _put_first(
            member("PaxHeaders/x", 30, tarfile.XHDTYPE), b"30 path=../../../../../etc/xxx\n"
        ),
        "another file",
    ),
    "a sparse file": (_put_first(member(_FIRST, 0, tarfile.GNUTYPE_SPARSE)), "another file"),
    "a name of other letters": (_put_first(member("wheels/\u0430.whl", 1), b"x"), "another file"),
    "a manifest that is a link": (
        lambda _: member("MANIFEST", 0, tarfile.SYMTYPE, "/etc/passwd").tobuf() + bytes(1024),
        "begin",
    ),
    "a manifest of 2^63": (lambda _: member("MANIFEST", 1 << 63).tobuf() + bytes(1024), "begin"),
    "a folder": (_put_first(member("wheels", 0, tarfile.DIRTYPE)), "a folder"),
    "a file twice": (_last(member(_FIRST, 1), b"x"), "where its end belongs"),
    "a file more": (_last(member("wheels/b.whl", 1), b"x"), "where its end belongs"),
    "a size that grows": (
        lambda key: bundle(key).replace(b"00000015530", b"77777777777", 1),
        "another file|something else",
    ),
    "bytes behind its end": (lambda key: bundle(key) + b"x", "goes on"),
    "zeros behind its end": (lambda key: bundle(key) + bytes(10_240), "goes on"),
    "a changed byte": (lambda key: bundle(key).replace(b"wheel\0", b"wheeX\0"), "not what was"),
    "a changed manifest": (lambda key: bundle(key).replace(b" 5 wheels", b" 6 wheels"), "signed"),
    "no manifest": (lambda _: tarred([(member("x", 1), b"x")]), "manifest"),
    "an endless manifest": (
        lambda _: container.header("MANIFEST", 1 << 32) + bytes(1024),
        "begin with its manifest",
    ),
    "a zip": (lambda _: b"PK\x03\x04" + bytes(2000), "does not begin"),
    "nothing": (lambda _: b"", "ends too early"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_what_was_signed_writes_nothing(
    name: str, key: BundleKey, tmp_path: Path
) -> None:
    make, why = HOSTILE[name]
    refused(tmp_path, make(key), key.vkey, why)


@pytest.mark.parametrize(
    "path",
    [
        *("../x", "/etc/x", "wheels/../../x", "wheels/./x", "wheels//x", "MANIFEST", "x", "wheels"),
        *(
            "wheels/.x",
            "keys/operator",
            "factory.toml",
            "models/m/a\tb",
            "wheels/a b",
            "wheels/a\\b",
        ),
        "models/" + "/".join("a" * 12),
    ],
)
def test_no_path_leads_out_though_it_was_signed(path: str, key: BundleKey, tmp_path: Path) -> None:
    refused(tmp_path, bundle(key, {path: b"x"}), key.vkey, "belongs into none|its manifest|control")


def test_no_file_is_named_twice_though_it_was_signed(key: BundleKey, tmp_path: Path) -> None:
    entries = manifest(FILES).entries
    note = key.sign(Manifest({}, (*entries, entries[-1])).text()).encode()
    refused(tmp_path, tarred([(member("MANIFEST", len(note)), note)]), key.vkey, "twice")


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("models/m/A.json", "models/m/a.json"), "capitals"),
        (("models/m", "models/m/a.json"), "a folder too"),
        (("models/m/\u0430.json",), "belongs into none"),
        (("models/m/\ufeffa.json",), "belongs into none"),
        (("models/m/a\u202e.json",), "belongs into none"),
        (("models/m/e\u0301.json",), "belongs into none"),
    ],
)
def test_no_two_names_come_to_one_file_though_they_were_signed(
    names: tuple[str, ...], why: str, key: BundleKey, tmp_path: Path
) -> None:
    entries = tuple(Entry(one, 1, hashlib.sha256(b"x").hexdigest()) for one in names)
    note = key.sign(Manifest({}, entries).text()).encode()
    rows = [(member(one.encode().decode("latin-1"), 1), b"x") for one in names]
    refused(tmp_path, tarred([(member("MANIFEST", len(note)), note), *rows]), key.vkey, why)


@pytest.mark.parametrize("size", ["-1", "01", "+1", "1e3", "9223372036854775808", "0x10", "\u0661"])
def test_no_size_is_read_in_two_ways_though_it_was_signed(
    size: str, key: BundleKey, tmp_path: Path
) -> None:
    text = f"{FORMAT}\n{{}}\n{'0' * 64} {size} wheels/a.whl\n"
    note = key.sign(text).encode()
    why = "has the line|at most"
    refused(tmp_path, tarred([(member("MANIFEST", len(note)), note)]), key.vkey, why)


def test_a_bundle_that_is_swapped_once_it_was_checked_writes_nothing(
    key: BundleKey, tmp_path: Path
) -> None:
    file, into = tmp_path / "bundle", tmp_path / "made" / "into"
    into.parent.mkdir()
    file.write_bytes(bundle(key))

    def swap(what: str) -> None:
        if what == "unpacking":
            file.write_bytes(HOSTILE["a changed byte"][0](key))

    with pytest.raises(Damaged, match="not what was"):
        import_(file, key.vkey, into, WeightsCache(tmp_path / "cache", {}), swap, lambda *_: None)
    assert list(into.parent.iterdir()) == []
    assert not (tmp_path / "cache").exists()


def test_a_signed_size_that_no_disk_has_is_refused_before_anything(
    key: BundleKey, tmp_path: Path
) -> None:
    entry = Entry("wheels/a.whl", 1 << 43, "0" * 64)
    note = key.sign(Manifest({}, (entry,)).text()).encode()
    refused(tmp_path, tarred([(member("MANIFEST", len(note)), note)]), key.vkey, "at most")


def test_every_cut_and_every_other_key_is_refused(key: BundleKey, tmp_path: Path) -> None:
    whole = bundle(key)
    for size in range(0, len(whole), 509):
        refused(tmp_path, whole[:size], key.vkey, "the bundle")
    other = BundleKey(tmp_path / "other.key")
    refused(tmp_path, whole, other.vkey, "key")
    refused(tmp_path, whole, "nonsense", "key")


def test_as_many_files_as_can_be_exported_can_be_imported(key: BundleKey, tmp_path: Path) -> None:
    """A manifest of a thousand lines is longer than other notes may be."""
    files = {f"models/m/weights/{number:04}-{'x' * 60}.json": b"{}" for number in range(1000)}
    data = bundle(key, files)
    assert len(key.sign(manifest(files).text())) > notes.MAX_NOTE_CHARS
    assert len(list(imported(tmp_path, data, key.vkey).rglob("*.json"))) == 1000


def test_what_is_there_is_not_written_over(key: BundleKey, tmp_path: Path) -> None:
    imported(tmp_path, bundle(key), key.vkey)
    with pytest.raises(Conflict, match="is there already"):
        imported(tmp_path, bundle(key), key.vkey)


def test_the_key_is_private_and_stays(key: BundleKey, tmp_path: Path) -> None:
    path = tmp_path / "bundles.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert BundleKey(path).vkey == key.vkey
    assert BundleKey(tmp_path / "other").vkey != key.vkey
    assert not os.access(path, os.X_OK)
