"""A keeper is known by what was left with it: another one in its place is away, not empty."""

import shutil

import pytest

from inland.adapters.egress.calls import Calls
from inland.adapters.egress.door import origin
from inland.adapters.files.disk import Disk
from inland.adapters.vault.folder_blobs import FolderBlobs
from inland.adapters.vault.marks import KEYS, ROOT, MarkedBlobs, Marks
from inland.adapters.vault.openbao_keys import OpenBaoKeys
from inland.ports.blobs import BlobsAway
from inland.ports.keys import KeyName, KeysAway
from tests.contract.vault.conftest import LIMIT_S
from tests.servers import openbao

ONE, TWO = KeyName("acme", "one"), KeyName("acme", "two")
NAME = "parts/one/00000000"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with openbao.running(tmp_path_factory.mktemp("bao")) as running:
        yield running


@pytest.fixture
def on_mount(server, door, tmp_path):
    """Keys of one factory, at a mount that its factory.toml names."""
    made = []

    def keys(mount: str, token: str) -> OpenBaoKeys:
        made.append(Calls(door, "keys", origin(server.url), LIMIT_S))
        mark = Marks(Disk(tmp_path)).of(KEYS)
        return OpenBaoKeys(made[-1], lambda: token, mount, mark=mark)

    yield keys
    for calls in made:
        calls.close()


def test_another_mount_gets_no_key_and_knows_of_none(server, on_mount, tmp_path):
    right, other = server.mount(), server.mount()
    key = on_mount(*right).make(ONE)
    wrong = on_mount(*other)
    for call in (
        wrong.demand,
        wrong.withdrawn,
        lambda: wrong.make(TWO),
        lambda: wrong.open(ONE),
        lambda: wrong.exists(ONE),
        lambda: wrong.destroy(ONE),
        lambda: wrong.withdraw("acme"),
        lambda: wrong.give_back("acme"),
        lambda: list(wrong.names()),
    ):
        with pytest.raises(KeysAway, match="its mark is not there"):
            call()
    again = on_mount(*right)
    assert again.open(ONE) == key
    assert list(again.names()) == [ONE]
    (tmp_path / ROOT / KEYS).unlink()  # as the refusal says
    assert on_mount(*other).make(TWO) != key
    right_no_more = on_mount(*right)
    with pytest.raises(KeysAway, match="its mark is not there"):
        right_no_more.open(TWO)


def test_a_new_mount_is_asked_about_before_anything_was_made(server, on_mount, tmp_path):
    keys = on_mount(*server.mount())
    keys.demand()
    assert not keys.exists(ONE)
    assert not (tmp_path / ROOT / KEYS).exists(), "a look leaves nothing"


@pytest.fixture
def store(tmp_path):
    """Opens the folder of a store as a factory does that starts."""
    folder = tmp_path / "mnt"
    folder.mkdir()

    def opened() -> MarkedBlobs:
        mark = Marks(Disk(tmp_path)).of("paris")
        return MarkedBlobs(FolderBlobs(Disk(folder)), mark, str(folder))

    return opened, folder


def test_a_folder_that_nothing_is_mounted_on_is_no_empty_store(store, tmp_path):
    opened, folder = store
    blobs = opened()
    blobs.put(NAME, b"sealed")
    folder.rename(tmp_path / "disk")  # unmounted, while it is in use
    folder.mkdir()
    for some in (blobs, opened()):
        for call in (
            some.demand,
            lambda some=some: some.get(NAME),
            lambda some=some: some.put(NAME, b"x"),
            lambda some=some: some.remove(NAME),
            lambda some=some: list(some.names()),
        ):
            with pytest.raises(BlobsAway, match="remove keys/keepers/paris"):
                call()
    assert not [one for one in folder.rglob("*") if one.is_file()]
    shutil.rmtree(folder)
    (tmp_path / "disk").rename(folder)
    assert blobs.get(NAME) == b"sealed"


def test_a_store_that_was_copied_with_its_mark_is_the_same(store, tmp_path):
    opened, folder = store
    opened().put(NAME, b"sealed")
    shutil.copytree(folder, tmp_path / "copy")
    shutil.rmtree(folder)
    (tmp_path / "copy").rename(folder)
    assert opened().get(NAME) == b"sealed"


def test_a_damaged_memory_of_a_mark_knows_no_store(store, tmp_path):
    opened, _ = store
    opened().put(NAME, b"sealed")
    (tmp_path / ROOT / "paris").write_bytes(b"")
    with pytest.raises(BlobsAway):
        opened().get(NAME)
