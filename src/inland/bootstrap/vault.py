"""The vault as factory.toml says it, put together: keys, blobs, and the door they go through."""

import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.calls import Calls
from inland.adapters.files.disk import Disk
from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.layout import Home
from inland.adapters.home.store_table import StoreSaid
from inland.adapters.home.vault_table import BlobsIn, KeysBy, VaultSaid, server
from inland.adapters.vault.embedded_keys import ROOT, EmbeddedKeys
from inland.adapters.vault.factory_key import (
    CREDENTIAL,
    FactoryKey,
    FactorySecret,
    Source,
    read_secret,
)
from inland.adapters.vault.folder_blobs import FolderBlobs
from inland.adapters.vault.openbao_keys import OpenBaoKeys
from inland.adapters.vault.placed_blobs import Lies, Placed, PlacedBlobs
from inland.adapters.vault.sealed_vault import SealedVault
from inland.domain.assets import LOCAL_STORE
from inland.domain.errors import BadInput
from inland.plant.vault import Parts
from inland.ports.blobs import Blobs, BlobsAway
from inland.ports.keys import Keys, KeysAway

#: What one call to the key server may take, in seconds.
KEY_SERVER_S = 5.0
#: The systemd credential that holds its token.
TOKEN_CREDENTIAL = "inland-openbao"  # noqa: S105 - a name


def factory_secret(said: VaultSaid, credentials: Path | None) -> FactorySecret:
    """A passphrase's file where one is named, else a credential where there is one, else a file."""
    if said.passphrase_file is not None:
        return FactorySecret(Source.PASSPHRASE, said.passphrase_file)
    if credentials is not None and (credentials / CREDENTIAL).exists():
        return FactorySecret(Source.CREDENTIAL, credentials / CREDENTIAL)
    return FactorySecret(Source.FILE)


def open_vault(
    home: Home, declared: Declaration, credentials: Path | None, door: BlockingDoor, lies: Lies
) -> Parts:
    """Servers are reached through `door`, whose books and recheck are theirs too; `lies`: where the
    content of an asset is.

    Nothing is asked of a server yet. Raises BadInput for files that cannot be used.
    """
    said = declared.vault
    keys, blobs = _keys(home, said, credentials, door), _blobs(home.root, said, door)
    placed = {LOCAL_STORE: Placed(declared.site, lambda: blobs)}
    for store in declared.stores:
        placed[store.place.id] = Placed(store.place, partial(_store, store, door))
    stores = PlacedBlobs(placed, lies)
    return Parts(keys, stores, SealedVault(keys, stores), said.keys.value, said.blobs.value)


def _store(said: StoreSaid, door: BlockingDoor) -> Blobs:
    """One more store. Its folder is made by nobody here: what it stands on may not be mounted."""
    root = said.folder or Path()
    if said.folder is not None and not said.folder.is_dir():
        raise BlobsAway(f"there is no folder {said.folder}")
    try:
        return _blobs(root, said, door)
    except BadInput as error:
        raise BlobsAway(error.why) from None


def _keys(home: Home, said: VaultSaid, credentials: Path | None, door: BlockingDoor) -> Keys:
    if said.keys is KeysBy.EMBEDDED:
        files = Disk(home.root)
        return EmbeddedKeys(files, FactoryKey(files, factory_secret(said, credentials), ROOT))
    trusting = door.trusting(_context(said.key_server_ca)) if said.key_server_ca else door
    calls = Calls(trusting, "keys", server(said.key_server, "key_server"), KEY_SERVER_S)
    return OpenBaoKeys(calls, _token(said, credentials), said.key_server_mount)


def _token(said: VaultSaid, credentials: Path | None) -> Callable[[], str]:
    """Read anew each time: whoever renews it writes the file."""

    def token() -> str:
        file = said.key_server_token_file
        if file is None and credentials is not None:
            file = credentials / TOKEN_CREDENTIAL
        if file is None:
            raise KeysAway("no token for the key server: name key_server_token_file in [vault]")
        try:
            return read_secret(file).decode("ascii")
        except UnicodeDecodeError:
            raise KeysAway(f"{file} holds no token") from None

    return token


def _context(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise BadInput("vault", f"key_server_ca: {ca}: {error}") from None


def _blobs(root: Path, said: VaultSaid | StoreSaid, door: BlockingDoor) -> Blobs:
    if said.blobs is BlobsIn.FOLDER:
        return FolderBlobs(Disk(root))
    try:
        from inland.adapters.vault.s3_blobs import Bucket, S3Blobs
    except ImportError:
        raise BadInput("vault", 'blobs = "s3" needs: pip install "inland[s3]"') from None
    assert said.s3_key_file is not None
    access, secret = _s3_key(said.s3_key_file)
    at = server(said.s3_endpoint, "s3_endpoint")
    bucket = Bucket(at, said.s3_bucket, said.s3_region, access, secret, said.s3_prefix)
    return S3Blobs(bucket, door)


def _s3_key(file: Path) -> tuple[str, str]:
    try:
        lines = read_secret(file).decode("ascii").split()
    except (KeysAway, UnicodeDecodeError) as error:
        raise BadInput("vault", f"s3_key_file: {error}") from None
    if len(lines) != 2:
        raise BadInput("vault", f"s3_key_file: {file} holds two lines: access key, secret key")
    return lines[0], lines[1]
