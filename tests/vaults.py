"""Vaults for tests: keys and blobs as they are, over a disk in memory or a folder."""

from inland.adapters.files.disk import Disk
from inland.adapters.files.forgetful import ForgetfulDisk
from inland.adapters.vault.embedded_keys import EmbeddedKeys, FactoryKeys
from inland.adapters.vault.folder_blobs import FolderBlobs
from inland.adapters.vault.sealed_vault import SealedVault
from inland.ports.files import Files


class OneFactoryKey:
    """A factory key that any test may have, and that no test changes."""

    def __call__(self) -> tuple[bytes, ...]:
        return (b"k" * 32,)

    def demand(self) -> None:
        """It is here."""

    def is_rotating(self) -> bool:
        return False

    def intent(self) -> str:
        raise AssertionError

    def begin(self, intent: str, secret: bytes | None = None) -> None:
        raise AssertionError

    def end(self) -> None:
        raise AssertionError

    def forget(self) -> None:
        raise AssertionError


factory_key = OneFactoryKey()


def needed_folders(files: Files) -> None:
    """What a home has before its vault is opened."""
    for folder in ("keys", "vault"):
        if not files.exists(folder):
            files.make_dir(folder)
    files.sync_dir("")


def vault_of(
    files: Files, factory_keys: FactoryKeys = factory_key
) -> tuple[SealedVault, EmbeddedKeys, FolderBlobs]:
    """A vault in a home's files, and what it stands on."""
    needed_folders(files)
    keys, blobs = EmbeddedKeys(files, factory_keys), FolderBlobs(files)
    return SealedVault(keys, blobs), keys, blobs


def memory_vault() -> SealedVault:
    """A vault in memory, gone with the test."""
    return vault_of(ForgetfulDisk().process("test"))[0]


def folder_vault(home) -> SealedVault:
    """A vault in a folder of the disk, private as a home is."""
    return vault_of(Disk(home))[0]
