"""The vault as factory.toml says it, put together: keys, blobs, and the door they go through."""

import re
import ssl
from functools import partial
from pathlib import Path

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.files.disk import Disk
from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.layout import Home
from inland.adapters.home.store_table import StoreSaid
from inland.adapters.home.vault_table import BlobsIn, KeysBy, VaultSaid, server
from inland.adapters.vault.embedded_keys import ROOT, EmbeddedKeys
from inland.adapters.vault.factory_key import CREDENTIAL, FactoryKey, FactorySecret, Source
from inland.adapters.vault.folder_blobs import FolderBlobs
from inland.adapters.vault.marks import KEYS, Mark, MarkedBlobs, Marks
from inland.adapters.vault.placed_blobs import Lies, Placed, PlacedBlobs
from inland.adapters.vault.rest import Rest
from inland.adapters.vault.sealed_vault import SealedVault
from inland.adapters.vault.secret import SecretFile
from inland.domain.assets import LOCAL_STORE
from inland.domain.errors import BadInput
from inland.plant.vault import Parts
from inland.ports.blobs import Blobs, BlobsAway
from inland.ports.keys import Keys, KeysAway, Wrapped

#: The systemd credentials that hold its token, and the bucket's key.
TOKEN_CREDENTIAL, S3_CREDENTIAL = "inland-openbao", "inland-s3"
#: What goes into a header as it is.
_VISIBLE = re.compile(rb"[\x21-\x7e]+")


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
    marks = Marks(Disk(home.root))
    keys, wrapped = _keys(home, said, credentials, door, marks.of(KEYS))
    blobs = _blobs(home.root, said, credentials, door)
    if said.blobs is not BlobsIn.FOLDER:
        blobs = MarkedBlobs(blobs, marks.of(LOCAL_STORE), said.s3_bucket)
    placed = {LOCAL_STORE: Placed(declared.site, lambda: blobs)}
    for store in declared.stores:
        placed[store.place.id] = Placed(store.place, partial(_store, store, door, marks))
    stores = PlacedBlobs(placed, lies)
    kinds = said.keys.value, said.blobs.value
    return Parts(keys, stores, SealedVault(keys, stores), *kinds, wrapped)


def _store(said: StoreSaid, door: BlockingDoor, marks: Marks) -> Blobs:
    """One more store. Its folder is made by nobody here: what it stands on may not be mounted."""
    root = said.folder or Path()
    if said.folder is not None and not said.folder.is_dir():
        raise BlobsAway(f"there is no folder {said.folder}")
    try:
        blobs = _blobs(root, said, None, door)
    except BadInput as error:
        raise BlobsAway(error.why) from None
    where = said.s3_bucket if said.folder is None else str(said.folder)
    return MarkedBlobs(blobs, marks.of(said.place.id), where)


def _keys(
    home: Home, said: VaultSaid, credentials: Path | None, door: BlockingDoor, mark: Mark
) -> tuple[Keys, Wrapped | None]:
    if said.keys is KeysBy.EMBEDDED:
        files = Disk(home.root)
        factory_key = FactoryKey(files, factory_secret(said, credentials), ROOT)
        embedded = EmbeddedKeys(files, factory_key)
        return embedded, embedded
    from inland.adapters.egress.calls import Calls
    from inland.adapters.vault.openbao_keys import OpenBaoKeys

    trusting = door.trusting(_context(said.key_server_ca)) if said.key_server_ca else door
    calls = Calls(trusting, "keys", server(said.key_server, "key_server"), said.key_server_s)
    file = token_file(said, credentials)
    rest = Rest(slow_s=said.key_server_s / 2)
    mount = said.key_server_mount
    return OpenBaoKeys(calls, lambda: token(file), mount, rest=rest, mark=mark), None


def token_file(said: VaultSaid, credentials: Path | None) -> SecretFile | None:
    """Where the key server's token is; None where nothing says."""
    return _named(said.key_server_token_file, credentials, TOKEN_CREDENTIAL)


def s3_key_file(said: VaultSaid | StoreSaid, credentials: Path | None) -> SecretFile | None:
    """Where the bucket's key is; None where nothing says."""
    return _named(said.s3_key_file, credentials, S3_CREDENTIAL)


def _named(file: Path | None, credentials: Path | None, name: str) -> SecretFile | None:
    if file is not None:
        return SecretFile(file)
    return None if credentials is None else SecretFile(credentials / name, is_credential=True)


def token(file: SecretFile | None) -> str:
    """Read anew each time: whoever renews it writes the file. Raises KeysAway."""
    if file is None:
        raise KeysAway("no token for the key server: name key_server_token_file in [vault]")
    found = file.read()
    if not _VISIBLE.fullmatch(found):
        raise KeysAway(f"{file.path} holds no token: one line of visible ASCII, nothing behind it")
    return found.decode("ascii")


def _context(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise BadInput("vault", f"key_server_ca: {ca}: {error}") from None


def _blobs(
    root: Path, said: VaultSaid | StoreSaid, credentials: Path | None, door: BlockingDoor
) -> Blobs:
    if said.blobs is BlobsIn.FOLDER:
        return FolderBlobs(Disk(root))
    try:
        from inland.adapters.vault.s3_blobs import Bucket, Patience, S3Blobs
    except ImportError:
        raise BadInput("vault", 'blobs = "s3" needs: pip install "inland[s3]"') from None
    at, file = server(said.s3_endpoint, "s3_endpoint"), s3_key_file(said, credentials)
    bucket = Bucket(at, said.s3_bucket, said.s3_region, lambda: s3_key(file), said.s3_prefix)
    return S3Blobs(bucket, door, Patience(request_s=said.s3_request_s))


def s3_key(file: SecretFile | None) -> tuple[str, str]:
    """Access key and secret key, read anew each time. Raises KeysAway."""
    if file is None:
        raise KeysAway("no key for the bucket: name s3_key_file in [vault]")
    lines = file.read().split()
    if len(lines) != 2 or not all(map(_VISIBLE.fullmatch, lines)):
        raise KeysAway(f"{file.path} must hold two lines of ASCII: access key, secret key")
    return lines[0].decode("ascii"), lines[1].decode("ascii")
