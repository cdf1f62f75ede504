"""Secrets and policies in files: private, whole or not there, and never guessed at."""

import pytest

from inland.adapters.files.policies import MAX_FILE_BYTES, PolicyFiles
from inland.adapters.files.secrets import SecretFolder
from inland.domain.errors import BadInput, Damaged


@pytest.fixture
def keys(tmp_path):
    (tmp_path / "keys").mkdir(mode=0o700)
    return tmp_path / "keys"


def test_secrets_are_private_and_read_back(keys):
    secrets = SecretFolder(keys)
    secrets.keep_record_key("acme", bytes(range(32)))
    secrets.keep_upstream_key("far", "first")
    secrets.keep_upstream_key("far", "second")
    found = SecretFolder(keys).secrets()
    assert found.record_keys == {"acme": bytes(range(32))}
    assert found.upstream_keys == {"far": "second"}
    for path in keys.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    secrets.forget_upstream_key("far")
    secrets.forget_upstream_key("far")
    assert secrets.secrets().upstream_keys == {}


def test_what_a_crash_left_half_written_is_no_secret_and_is_in_nobodys_way(keys):
    secrets = SecretFolder(keys)
    (keys / "tenants" / ".newacme").write_bytes(b"half")
    (keys / "tenants" / ".new-acme").write_bytes(b"half")
    assert secrets.secrets().record_keys == {}
    secrets.keep_record_key("acme", bytes(32))
    assert secrets.secrets().record_keys == {"acme": bytes(32)}


@pytest.mark.parametrize(("where", "data"), [("tenants", b"short"), ("upstreams", b"\n")])
def test_a_damaged_secret_is_said_and_never_used(keys, where, data):
    secrets = SecretFolder(keys)
    (keys / where / "acme").write_bytes(data)
    with pytest.raises(Damaged, match="acme"):
        secrets.secrets()


def test_a_secret_never_shows_in_what_is_printed(keys):
    secrets = SecretFolder(keys)
    secrets.keep_upstream_key("far", "very-secret")
    assert "very-secret" not in repr(secrets.secrets())


def test_the_policy_folder_keeps_what_is_not_a_policy(tmp_path):
    folder = PolicyFiles(tmp_path / "policies")
    assert folder.read() == {}
    folder.write({"a.cedar": "one", "b.cedar": "two"}, remove_others=True)
    (tmp_path / "policies" / "notes.txt").write_text("mine")
    folder.write({"a.cedar": "three"}, remove_others=False)
    assert folder.read() == {"a.cedar": "three", "b.cedar": "two"}
    folder.write({"a.cedar": "three"}, remove_others=True)
    assert folder.read() == {"a.cedar": "three"}
    assert {path.name for path in (tmp_path / "policies").iterdir()} == {"a.cedar", "notes.txt"}


@pytest.mark.parametrize("data", [b"\xff", b"x" * (MAX_FILE_BYTES + 1)])
def test_a_policy_file_that_is_no_text_or_too_long_is_refused(tmp_path, data):
    (tmp_path / "a.cedar").write_bytes(data)
    with pytest.raises(BadInput, match=r"a\.cedar"):
        PolicyFiles(tmp_path).read()
