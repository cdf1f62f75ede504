"""The factory key: from a passphrase, a credential or a file, the same each time, or why not."""

import json

import pytest

from inland.adapters.files.disk import Disk
from inland.adapters.vault.embedded_keys import EmbeddedKeys
from inland.adapters.vault.factory_key import FactoryKey, FactorySecret, Source
from inland.adapters.vault.secret import read_secret
from inland.ports.keys import KeyName, KeysAway
from tests.vaults import needed_folders

ROOT = "keys/vault"
CHEAP = {"n": 1 << 10, "r": 8, "p": 1}


@pytest.fixture
def files(tmp_path):
    made = Disk(tmp_path)
    needed_folders(made)
    return made


def secret_file(tmp_path, text: str, mode: int = 0o600):
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("source", [Source.PASSPHRASE, Source.CREDENTIAL])
def test_a_secret_makes_the_same_key_each_time_and_no_other_secret_does(files, tmp_path, source):
    secret = FactorySecret(source, secret_file(tmp_path, "correct horse\n"))
    (key,) = FactoryKey(files, secret, ROOT, scrypt=CHEAP)()
    assert len(key) == 32
    assert FactoryKey(files, secret, ROOT)() == (key,)
    secret_file(tmp_path, "incorrect horse\n")
    with pytest.raises(KeysAway, match="is not the one"):
        FactoryKey(files, secret, ROOT)()
    said = (tmp_path / ROOT / "factory.json").read_text()
    assert "horse" not in said
    assert key.hex() not in said


def test_two_homes_have_two_keys_under_one_passphrase(tmp_path):
    secret = FactorySecret(Source.PASSPHRASE, secret_file(tmp_path, "correct horse"))
    keys = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        files = Disk(tmp_path / name)
        needed_folders(files)
        keys.append(FactoryKey(files, secret, ROOT, scrypt=CHEAP)())
    assert keys[0] != keys[1]


def test_without_a_passphrase_a_private_file_holds_it(files, tmp_path):
    (key,) = FactoryKey(files, FactorySecret(Source.FILE), ROOT)()
    assert FactoryKey(files, FactorySecret(Source.FILE), ROOT)() == (key,)
    found = tmp_path / ROOT / "factory.key"
    assert found.read_bytes() == key
    assert found.stat().st_mode & 0o777 == 0o600
    assert found.parent.stat().st_mode & 0o777 == 0o700


def test_keys_made_under_one_source_are_not_opened_by_another(files, tmp_path):
    FactoryKey(files, FactorySecret(Source.FILE), ROOT)()
    secret = FactorySecret(Source.PASSPHRASE, secret_file(tmp_path, "correct horse"))
    with pytest.raises(KeysAway, match="under a file"):
        FactoryKey(files, secret, ROOT, scrypt=CHEAP)()


@pytest.mark.parametrize("said", ["", "{", "{}", "[]", '{"format": "inland-factory-key/9"}'])
def test_a_damaged_description_is_said_and_nothing_is_overwritten(files, tmp_path, said):
    FactoryKey(files, FactorySecret(Source.FILE), ROOT)()
    about = tmp_path / ROOT / "factory.json"
    about.write_text(said)
    with pytest.raises(KeysAway):
        FactoryKey(files, FactorySecret(Source.FILE), ROOT)()
    assert about.read_text() == said


def test_a_lost_file_is_not_made_anew(files, tmp_path):
    FactoryKey(files, FactorySecret(Source.FILE), ROOT)()
    (tmp_path / ROOT / "factory.key").unlink()
    with pytest.raises(KeysAway, match="missing"):
        FactoryKey(files, FactorySecret(Source.FILE), ROOT)()


def test_keys_resume_when_the_passphrase_is_there(files, tmp_path):
    path = tmp_path / "secret"
    wrapping = FactoryKey(files, FactorySecret(Source.PASSPHRASE, path), ROOT, scrypt=CHEAP)
    keys = EmbeddedKeys(files, wrapping)
    name = KeyName("acme", "one")
    with pytest.raises(KeysAway, match="secret"):
        keys.make(name)
    secret_file(tmp_path, "correct horse")
    assert keys.open(name) if list(keys.names()) else keys.make(name)


def test_a_secret_that_is_open_to_others_short_or_long_is_refused(tmp_path):
    with pytest.raises(KeysAway, match="chmod 600"):
        read_secret(secret_file(tmp_path, "correct horse", 0o644))
    for text in ("", "short", "x" * 5000):
        with pytest.raises(KeysAway, match="must hold"):
            read_secret(secret_file(tmp_path, text))
    assert read_secret(secret_file(tmp_path, "correct horse\r\n")) == b"correct horse"


def test_what_is_kept_says_how_it_was_made(files, tmp_path):
    secret = FactorySecret(Source.PASSPHRASE, secret_file(tmp_path, "correct horse"))
    FactoryKey(files, secret, ROOT, scrypt=CHEAP)()
    said = json.loads((tmp_path / ROOT / "factory.json").read_text())
    assert said.keys() == {"format", "source", "salt", "check", "n", "r", "p"}
