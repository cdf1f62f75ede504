"""Vaults for tests: keys and blobs as they are, over a disk in memory or a folder."""

from inland.adapters.files.disk import Disk
from inland.adapters.files.forgetful import ForgetfulDisk
from inland.adapters.vault.embedded_keys import EmbeddedKeys
from inland.adapters.vault.folder_blobs import FolderBlobs
from inland.adapters.vault.sealed_vault import SealedVault
from inland.ports.files import Files


def factory_key() -> bytes:
    """A factory key that any test may have."""
    return b"k" * 32


def needed_folders(files: Files) -> None:
    """What a home has before its vault is opened."""
    for folder in ("keys", "vault"):
        if not files.exists(folder):
            files.make_dir(folder)
    files.sync_dir("")


def vault_of(files: Files) -> tuple[SealedVault, EmbeddedKeys, FolderBlobs]:
    """A vault in a home's files, and what it stands on."""
    needed_folders(files)
    keys, blobs = EmbeddedKeys(files, factory_key), FolderBlobs(files)
    return SealedVault(keys, blobs), keys, blobs


def memory_vault() -> SealedVault:
    """A vault in memory, gone with the test."""
    return vault_of(ForgetfulDisk().process("test"))[0]


def folder_vault(home) -> SealedVault:
    """A vault in a folder of the disk, private as a home is."""
    return vault_of(Disk(home))[0]
