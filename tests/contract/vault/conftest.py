"""Every keeper of keys and every blob store there is, and vaults over them."""

import pytest

from inland.adapters.files.disk import Disk
from inland.adapters.files.forgetful import ForgetfulDisk
from inland.adapters.vault.embedded_keys import EmbeddedKeys
from inland.adapters.vault.folder_blobs import FolderBlobs
from inland.adapters.vault.sealed_vault import SealedVault
from tests.vaults import factory_key, needed_folders, vault_of


@pytest.fixture
def files(tmp_path):
    made = Disk(tmp_path)
    needed_folders(made)
    return made


@pytest.fixture(params=["embedded"])
def reopened(request, files):
    """Opens the keys anew, as a process does that starts."""
    return lambda: EmbeddedKeys(files, factory_key)


@pytest.fixture
def keys(reopened):
    return reopened()


@pytest.fixture(params=["folder", "memory"])
def blobs(request, files):
    if request.param == "folder":
        return FolderBlobs(files)
    memory = ForgetfulDisk().process("test")
    needed_folders(memory)
    return FolderBlobs(memory)


@pytest.fixture
def vault(keys, blobs):
    return SealedVault(keys, blobs)


@pytest.fixture(scope="module")
def memory():
    """A vault in memory and its blobs, for laws that put into it again and again."""
    made, _, stored = vault_of(ForgetfulDisk().process("test"))
    return made, stored
