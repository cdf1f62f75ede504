"""Models come in inspected and signed, or leave nothing; what is signed is held to every byte."""

import hashlib
import json
import os
import pickle
import re
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from cyclonedx.schema import SchemaVersion
from model_signing import verifying

from inland.adapters.egress.fetching import NotFetched, TooLarge
from inland.adapters.isolation.shut_in import KERNEL, available
from inland.adapters.weights import signing
from inland.adapters.weights.digest import file_sha256
from inland.adapters.weights.formats.window import Refused
from inland.adapters.weights.inspection import Inspected, inspect
from inland.adapters.weights.intake import Intake, NotTaken
from inland.adapters.weights.opened import Opened, opened
from inland.adapters.weights.shelf import Shelf
from inland.adapters.weights.sources.file import FileSource
from inland.adapters.weights.sources.source import Brought
from inland.domain.errors import Conflict, Damaged
from inland.ports.intake import Arrived, Order, Progress
from tests.unit.weights import hostile


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    root = tmp_path / "home"
    for folder in ("models", "keys"):
        (root / folder).mkdir(parents=True)
    return Shelf(root)


def quiet(_done: int, _total: int) -> None:
    pass


def take(shelf: Shelf, path: Path, **said: str) -> Arrived:
    order = Order("m", f"file:{path}", **said)
    return Intake(shelf, available()).take(order, FileSource(path), quiet)


def made(folder: Path, data: bytes | None = None) -> Path:
    path = folder / "given.bin"
    path.write_bytes(hostile.gguf() if data is None else data)
    return path


def left(shelf: Shelf) -> list[str]:
    return sorted(
        str(one.relative_to(shelf.root)) for one in shelf.root.rglob("*") if one.is_file()
    )


def test_a_clean_model_is_here_signed_and_its_bill_names_hash_licence_and_source(
    shelf: Shelf, tmp_path: Path
) -> None:
    path = made(tmp_path)
    arrived = take(shelf, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (arrived.file, arrived.sha256, arrived.licence) == ("models/m.gguf", sha256, "mit")
    assert (arrived.tensors, arrived.parameters) == (1, 8)
    shelf.verify("m", shelf.root / arrived.file, sha256)
    told = json.loads(shelf.verified_bom("m"))
    component = told["metadata"]["component"]
    assert told["specVersion"] == "1.7"
    assert component["type"] == "machine-learning-model"
    assert component["hashes"] == [{"alg": "SHA-256", "content": sha256}]
    assert component["licenses"] == [{"license": {"id": "MIT"}}]
    facts = {one["name"]: one["value"] for one in component["properties"]}
    assert facts["inland:source"] == f"file:{path}"
    assert facts["inland:inspected-under"] == available()
    assert shelf.private_key.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_vouched_for_is_gone(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(signing, "sign", full)
    with pytest.raises(OSError, match="full"):
        take(shelf, made(tmp_path))
    assert not [one for one in left(shelf) if one.startswith("models/m.")]
    assert not shelf.signature("m").exists()


def test_the_bill_of_materials_holds_to_the_published_schema(shelf: Shelf, tmp_path: Path) -> None:
    from cyclonedx.schema import _res
    from jsonschema_rs import Draft7Validator, Registry

    take(shelf, made(tmp_path), licence="a licence of our own")
    folder = Path(_res.__file__).parent
    schema = json.loads((folder / "bom-1.7.SNAPSHOT.schema.json").read_text())
    beside = {
        "http://cyclonedx.org/schema/" + one.name: json.loads(one.read_text())
        for one in folder.glob("*.SNAPSHOT.schema.json")
        if not one.name.startswith("bom-")
    }
    registry = Registry(list(beside.items()))
    validator = Draft7Validator(schema, registry=registry)
    document = json.loads(shelf.verified_bom("m"))
    assert [str(one) for one in validator.iter_errors(document)] == []
    assert list(validator.iter_errors({**document, "metadata": {"component": {"type": "x"}}}))
    assert SchemaVersion.V1_7.to_version() == document["specVersion"]


def test_anybodys_model_signing_verifies_what_was_signed(shelf: Shelf, tmp_path: Path) -> None:
    arrived = take(shelf, made(tmp_path, hostile.safetensors()))
    weights, signature = shelf.root / arrived.file, shelf.signature("m")
    words = [*("verify", "key", str(weights), "--signature", str(signature))]
    program = [str(Path(sys.executable).with_name("model_signing")), *words]
    program += ["--public_key", str(shelf.public_key)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    config = verifying.Config().use_elliptic_key_verifier(public_key=shelf.public_key)
    weights.write_bytes(weights.read_bytes()[:-1] + b"X")
    with pytest.raises(ValueError, match=r"digest|mismatch|manifest"):
        config.verify(weights, signature)


@pytest.mark.parametrize(
    "name",
    [
        "pickle",
        "torch zip",
        "numpy objects",
        "safetensors, code behind",
        "gguf, 2^60 pairs",
        "gguf, dims overflow",
        "gguf, of a zip too",
        "gguf, cut",
    ],
)
def test_what_is_refused_leaves_nothing(name: str, shelf: Shelf, tmp_path: Path) -> None:
    make, why = hostile.FILES[name]
    with pytest.raises(NotTaken, match=why):
        take(shelf, made(tmp_path, make()))
    assert left(shelf) == []


def test_no_link_no_pipe_and_no_hole_is_brought_in(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(made(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.write(hostile.safetensors(data=b""))
        sparse.truncate(1 << 40)
    for name, why in (("link", "a link"), ("pipe", "not a plain"), ("sparse", "holes")):
        with pytest.raises(NotTaken, match=why):
            take(shelf, tmp_path / name)
    assert left(shelf) == []


def test_another_hash_than_was_asked_for_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(NotTaken, match="not the 0000000000000000… that was asked for"):
        take(shelf, made(tmp_path), sha256="0" * 64)
    assert left(shelf) == []


def verified(shelf: Shelf, weights: Path, sha256: str) -> None:
    shelf.verify("m", weights, sha256)
    shelf.verified_bom("m")


def test_one_byte_anywhere_breaks_it(shelf: Shelf, tmp_path: Path) -> None:
    arrived = take(shelf, made(tmp_path))
    weights = shelf.root / arrived.file
    for path, why in (
        (weights, "its sha256 is"),
        (shelf.bom("m"), "not the one that was signed"),
    ):
        kept = path.read_bytes()
        path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        with pytest.raises(Damaged, match=why):
            verified(shelf, weights, arrived.sha256)
        path.write_bytes(kept)
    shelf.verify("m", weights, arrived.sha256)


def test_no_other_signature_holds(shelf: Shelf, tmp_path: Path) -> None:
    """Of another model, by another key, of another kind of statement, or none."""
    arrived = take(shelf, made(tmp_path))
    weights, signature = shelf.root / arrived.file, shelf.signature("m")
    good = signature.read_bytes()
    other = Shelf(tmp_path / "other")
    (other.root / "keys").mkdir(parents=True)
    signing.ensure_key(other)
    signing.sign(other, weights, tmp_path / "other.sig")
    signature.write_bytes((tmp_path / "other.sig").read_bytes())
    with pytest.raises(Damaged, match="not by this factory"):
        shelf.verify("m", weights, arrived.sha256)
    (tmp_path / "others.gguf").write_bytes(hostile.gguf((hostile.pair("a", "b"),)))
    signing.sign(shelf, tmp_path / "others.gguf", signature)
    with pytest.raises(Damaged, match="not what the factory knows"):
        shelf.verify("m", weights, arrived.sha256)
    for broken in (b"", b"{}", good[:-9], good.replace(b'"payload"', b'"pay"'), b"[" * 10_000):
        signature.write_bytes(broken)
        with pytest.raises(Damaged, match="cannot be read"):
            shelf.verify("m", weights, arrived.sha256)
    signature.unlink()
    with pytest.raises(Damaged, match="is not signed"):
        shelf.verify("m", weights, arrived.sha256)


def test_a_changed_statement_does_not_hold(shelf: Shelf, tmp_path: Path) -> None:
    """Every byte of what was signed is covered: the payload and its type."""
    from base64 import b64decode, b64encode

    arrived = take(shelf, made(tmp_path))
    signature = shelf.signature("m")
    bundle = json.loads(signature.read_bytes())
    envelope = bundle["dsseEnvelope"]
    payload = b64decode(envelope["payload"])
    zeros = payload.replace(arrived.sha256.encode(), b"0" * 64)
    for change in ({"payload": b64encode(zeros).decode()}, {"payloadType": "text/plain"}):
        signature.write_text(json.dumps({**bundle, "dsseEnvelope": {**envelope, **change}}))
        with pytest.raises(Damaged, match="not by this factory"):
            shelf.signed("m")


def test_what_was_signed_of_one_folder_vouches_for_no_other_by_a_name_of_several_lines(
    shelf: Shelf, tmp_path: Path
) -> None:
    signing.ensure_key(shelf)
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other, shelf.signature("m").parent):
        folder.mkdir(parents=True)
    (other / "t.txt").write_text("text")
    (other / "tokenizer.json").write_text("evil")
    (one / f"t.txt\n{file_sha256(other / 'tokenizer.json')}  tokenizer.json").write_text("text")
    signing.sign(shelf, one, shelf.signature("m"))
    with pytest.raises(Damaged, match="in its name"):
        shelf.verify("m", other, file_sha256(other))


def test_a_folder_is_taken_for_what_all_its_files_are(shelf: Shelf, tmp_path: Path) -> None:
    folder = shelf.models / "big"
    folder.mkdir()
    (folder / "a.safetensors").write_bytes(hostile.safetensors())
    (folder / "b.safetensors").write_bytes(hostile.safetensors())
    (folder / "config.json").write_text("{}")
    (folder / "merges.txt").write_text("a b\n")
    intake = Intake(shelf, available())
    arrived = intake.admit("big", "models/big", file_sha256(folder), "mit")
    assert (arrived.tensors, arrived.kind) == (2, "safetensors")
    shelf.verify("big", folder, arrived.sha256)
    make = {name: one for name, (one, _) in hostile.FILES.items()}
    for name, data, why in (
        ("pytorch_model.bin", make["pickle"](), "a pickle"),
        ("config.json", make["pickle of protocol 0"](), "a pickle"),
        ("modeling.py", b"import os\n", "is code"),
        ("more.safetensors", make["safetensors, code behind"](), "follow"),
        ("tokenizer.model", make["torch zip"](), "zip of pickles"),
        ("vocab.txt", b"\xff\xfe", "neither"),
    ):
        before = (folder / name).read_bytes() if (folder / name).exists() else None
        (folder / name).write_bytes(data)
        with pytest.raises(NotTaken, match=why):
            intake.admit("big", "models/big", file_sha256(folder), "mit")
        with pytest.raises(Damaged, match="its sha256 is"):
            shelf.verify("big", folder, arrived.sha256)
        (folder / name).unlink() if before is None else (folder / name).write_bytes(before)
    (folder / "link.json").symlink_to(folder / "config.json")
    with pytest.raises(NotTaken, match="link"):
        intake.admit("big", "models/big", file_sha256(folder), "mit")


def test_the_child_that_reads_a_strangers_file_reads_no_other_and_has_no_network(
    tmp_path: Path,
) -> None:
    """A library that has been taken over is stood in for by one of ours, first on the path."""
    if available() != KERNEL:
        pytest.skip("this kernel shuts no child in")
    secret = tmp_path / "secret"
    secret.write_text("the key")
    listener = socket.create_server(("127.0.0.1", 0))
    library = tmp_path / "library" / "gguf"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text(
        _TAKEN_OVER.format(secret=str(secret), port=listener.getsockname()[1])
    )
    path = made(tmp_path)
    sys.path.insert(0, str(library.parent))
    try:
        with opened(path) as file, pytest.raises(Refused, match="tried: denied denied denied"):
            inspect(file, KERNEL)
    finally:
        sys.path.remove(str(library.parent))
        listener.close()


_TAKEN_OVER = """
import socket
def attempt(what):
    try:
        what()
        return "DONE"
    except OSError:
        return "denied"
tried = (
    attempt(lambda: open({secret!r}).read()),
    attempt(lambda: open({secret!r} + ".copy", "w")),
    attempt(lambda: socket.create_connection(("127.0.0.1", {port}), 1)),
)
raise ValueError("tried: " + " ".join(tried))
"""


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ("while True: sys.stdout.write('x' * 65536)", "said more than 65536 bytes"),
        ("print('{}', flush=True); os._exit(0)", "could not be inspected"),
        ("os.close(1); os._exit(3)", "ended (3)"),
    ],
)
def test_what_a_child_says_is_bounded(says: str, why: str, tmp_path: Path) -> None:
    """A library that has been taken over says what it likes."""
    library = tmp_path / "library" / "gguf"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text(f"import os, sys\n{says}\n")
    sys.path.insert(0, str(library.parent))
    try:
        with opened(made(tmp_path)) as file, pytest.raises(Refused, match=re.escape(why)):
            inspect(file, available())
    finally:
        sys.path.remove(str(library.parent))


def test_what_one_store_sent_is_not_gone_on_with_from_another(shelf: Shelf) -> None:
    intake = Intake(shelf, available())
    parts = set()
    for more in ({}, {"endpoint": "https://mirror.example"}, {"region": "eu-central-1"}):
        with intake._arriving(Order("m", "s3:bucket/key", **more)) as part:
            parts.add(part)
    assert len(parts) == 3


def test_a_file_that_changes_while_it_is_copied_is_what_was_inspected_or_nothing(
    shelf: Shelf, tmp_path: Path
) -> None:
    tensor = hostile.tensor("t", (1 << 20,), 0)
    path = made(tmp_path, hostile.gguf(tensors=(tensor,), data=bytes(4 << 20)))

    def change(done: int, _total: int) -> None:
        if done == 1 << 20:  # what comes now is other data of the same size
            with path.open("r+b") as file:
                file.seek(2 << 20)
                file.write(b"changed")

    order = Order("m", f"file:{path}")
    arrived = Intake(shelf, available()).take(order, FileSource(path), change)
    verified(shelf, shelf.root / arrived.file, arrived.sha256)

    def cut(done: int, _total: int) -> None:
        if done == 1 << 20:
            path.write_bytes(pickle.dumps(hostile.Payload()))

    with pytest.raises(NotTaken):
        Intake(shelf, available()).take(replace(order, name="n"), FileSource(path), cut)
    assert not [one for one in left(shelf) if "/n" in one or "arriving" in one]


@pytest.mark.parametrize("by", ["file", "link"])
def test_a_file_that_is_swapped_once_it_was_inspected_is_gone(
    by: str, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever could do it writes into the home: nothing vouches for what lies there then."""
    bad = tmp_path / "bad"
    bad.write_bytes(pickle.dumps(hostile.Payload()))

    def swapped(file: Opened, isolation: str) -> Inspected:
        found = inspect(file, isolation)
        (part,) = [one for one in (shelf.models / "arriving").iterdir() if not one.suffix]
        part.unlink()
        if by == "link":
            part.symlink_to(bad)
        else:
            part.write_bytes(bad.read_bytes())
        return found

    monkeypatch.setattr("inland.adapters.weights.intake.inspect", swapped)
    with pytest.raises(Damaged):
        take(shelf, made(tmp_path))
    assert [one for one in left(shelf) if not one.startswith("keys/")] == []
    assert bad.exists()


@pytest.mark.parametrize("where", ["key", "text", "name"])
def test_letters_that_are_none_are_refused_or_shown_plainly(
    where: str, shelf: Shelf, tmp_path: Path
) -> None:
    """What a stranger's file says of itself reaches a terminal."""
    evil = "\x1b[31mred\u202e\0"
    pairs = {
        "key": hostile.pair(evil, "x"),
        "text": hostile.pair("general.license", evil),
        "name": hostile.pair("general.name", evil),
    }
    with suppress(NotTaken):
        take(shelf, made(tmp_path, hostile.gguf((pairs[where],))))
        told = shelf.verified_bom("m").decode()
        assert not any(one in told for one in ("\x1b", "\u202e", "\\u001b", "\\u202e", "\\u0000"))


def test_the_same_source_is_brought_in_by_one_at_a_time(shelf: Shelf, tmp_path: Path) -> None:
    path = made(tmp_path)
    intake = Intake(shelf, available())
    with intake._arriving(Order("m", f"file:{path}")), pytest.raises(Conflict, match="just now"):
        take(shelf, path)
    take(shelf, path)
    assert not (shelf.models / "arriving").exists()


class Failing:
    """A source that brings some of it."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.room = 0

    def bring(self, part: Path, most_bytes: int, progress: Progress) -> Brought:
        self.room = most_bytes
        part.write_bytes(b"some")
        raise self.error


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (NotFetched("u", "cut"), True),
        (TooLarge("u", "more"), False),
        (OSError("full"), False),
        (ValueError("broken"), False),
    ],
)
def test_only_what_was_cut_stays(shelf: Shelf, error: Exception, stays: bool) -> None:
    with pytest.raises(type(error)):
        Intake(shelf, available()).take(Order("m", "file:x"), Failing(error), quiet)
    assert bool(left(shelf)) is stays


def test_what_was_cut_long_ago_is_removed_and_takes_no_room_twice(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100 << 20))
    source = Failing(NotFetched("u", "cut"))
    rooms = []
    for _ in range(2):
        with pytest.raises(NotFetched):
            Intake(shelf, available()).take(Order("m", "file:x"), source, quiet)
        rooms.append(source.room)
    assert rooms[1] == rooms[0] + 4
    for path in (shelf.models / "arriving").iterdir():
        os.utime(path, (0, 0))
    with pytest.raises(OSError, match="full"):
        Intake(shelf, available()).take(Order("n", "file:y"), Failing(OSError("full")), quiet)
    assert left(shelf) == []


def test_a_linked_folder_or_a_pipe_in_a_models_folder_is_damage(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (tmp_path / "elsewhere").mkdir()
    folder.mkdir()
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Damaged, match="neither a file nor a folder"):
        file_sha256(folder)
    (folder / "more").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(Damaged, match="neither a file nor a folder"):
        file_sha256(folder)
