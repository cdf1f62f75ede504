"""No backup holds a key of an asset, nor what opens one: what is erased stays erased in it."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from inland.adapters.archive.names import place
from inland.adapters.files.disk import Disk
from inland.adapters.home.layout import Home
from inland.adapters.vault.embedded_keys import EmbeddedKeys
from inland.adapters.vault.factory_key import FactoryKey, FactorySecret, Source
from inland.adapters.vault.folder_blobs import FolderBlobs
from inland.adapters.vault.sealed_vault import SealedVault
from inland.bootstrap.backup import Wanted, back_up
from inland.bootstrap.restore import restore
from inland.ports.keys import KeyGone, KeysAway
from inland.ports.vault import NAME, PartName, TextName
from tests.books_home import BooksHome

PART = PartName("acme", "0198c2a1-one", 0)
KEPT = PartName("acme", "0198c2a1-kept", 0)
CANARY = b"a planted canary of the tests"


@contextmanager
def no_bar(_what):
    yield lambda _done, _total: None


def vault_in(root: Path) -> SealedVault:
    files = Disk(root)
    wrapping = FactoryKey(files, FactorySecret(Source.FILE), "keys/vault")
    return SealedVault(EmbeddedKeys(files, wrapping), FolderBlobs(files))


@pytest.fixture
def home(tmp_path):
    made = BooksHome(tmp_path / "home")
    made.take_in_first_keys()
    yield made.home
    made.close()


def every_byte(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_backup_from_before_an_erase_yields_nothing_beside_todays_keys(home, tmp_path):
    vault = vault_in(home.root)
    texts = [TextName(*part[:2], NAME) for part in (PART, KEPT)]
    gone, kept = (vault.seal(text, CANARY.decode()) for text in texts)
    for part in (PART, KEPT):
        vault.put(part, CANARY)
    back_up(home, tmp_path / "b", passphrase=None, wanted=Wanted(), bar=no_bar)
    shutil.copytree(home.root / "vault", tmp_path / "blobs")
    vault.erase(PART.tenant, PART.asset)
    restore(
        tmp_path / "b", Home(tmp_path / "again"), passphrase=None, revoke_keys=False, bar=no_bar
    )
    again = tmp_path / "again"
    assert [path.name for path in (again / "keys").glob("vault/**/*")] == ["awaited"]
    with pytest.raises(KeysAway, match="put the copy of keys/vault back"):
        vault_in(again).put(PART, CANARY)
    shutil.rmtree(again / "vault", ignore_errors=True)
    shutil.copytree(tmp_path / "blobs", again / "vault")
    shutil.rmtree(again / "keys")
    shutil.copytree(home.root / "keys", again / "keys")
    restored = vault_in(again)
    with pytest.raises(KeyGone):
        restored.get(PART)
    assert restored.get(KEPT) == CANARY
    with pytest.raises(KeyGone):
        restored.unseal(texts[0], gone)
    assert restored.unseal(texts[1], kept) == CANARY.decode()
    assert CANARY not in every_byte(again)


def test_a_backup_says_that_it_lacks_keys_and_content(home, tmp_path):
    vault_in(home.root).put(PART, CANARY)
    (home.root / "keys" / "vault" / "token").write_text("a-token-of-the-key-server")
    made = back_up(home, tmp_path / "b", passphrase=None, wanted=Wanted(), bar=no_bar)
    said = {one.path: one.why for one in made.left_out}
    assert "keys of assets" in said["keys/vault"]
    assert "vault" not in said
    held = (tmp_path / "b").read_bytes()
    for path in (home.root / "keys" / "vault").rglob("*"):
        if path.is_file() and path.stat().st_size:
            assert path.read_bytes() not in held, path
    done = restore(
        tmp_path / "b", Home(tmp_path / "again"), passphrase=None, revoke_keys=False, bar=no_bar
    )
    assert "keys/vault" in done.left_out


@pytest.mark.parametrize("path", ["keys/vault", "keys/vault/factory.key", "keys/vault/keys/a/b"])
def test_no_backup_may_bring_such_a_key(path):
    assert place(path) is None
    assert place("keys/vaults") is not None
