"""Secrets in files: a private file's, or what systemd gives a service's user by an ACL."""

import os

import pytest

from inland.adapters.vault.secret import SecretFile
from inland.ports.keys import KeysAway

ROOT, OTHER = 0, 12_345

pytestmark = pytest.mark.skipif(os.geteuid() != ROOT, reason="only root gives files away")


def secret(tmp_path, mode, uid=ROOT, gid=ROOT):
    path = tmp_path / "secret"
    path.write_text("correct horse\n")
    os.chown(path, uid, gid)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600])
def test_a_credential_is_read_as_systemd_leaves_it(tmp_path, mode):
    """With `User=` it is root's and 0440: the group's bit is the mask of the user's own entry."""
    path = secret(tmp_path, mode)
    assert SecretFile(path, is_credential=True).read() == b"correct horse"


@pytest.mark.parametrize(
    ("mode", "uid", "gid"),
    [
        *((0o444, ROOT, ROOT), (0o460, ROOT, ROOT), (0o450, ROOT, ROOT)),
        *((0o440, ROOT, OTHER), (0o440, OTHER, ROOT), (0o440, OTHER, OTHER)),
    ],
)
def test_a_credential_that_others_may_read_or_change_is_refused(tmp_path, mode, uid, gid):
    with pytest.raises(KeysAway, match="open to others"):
        SecretFile(secret(tmp_path, mode, uid, gid), is_credential=True).read()


def test_another_file_is_closed_to_its_group_too(tmp_path):
    with pytest.raises(KeysAway, match="chmod 600"):
        SecretFile(secret(tmp_path, 0o440)).read()
