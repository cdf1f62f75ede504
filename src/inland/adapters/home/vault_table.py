"""`[vault]` of factory.toml: who keeps the keys of assets, and where their blobs lie."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from inland.adapters.egress.door import Origin, origin
from inland.adapters.home.table import Table
from inland.domain.errors import BadInput


class KeysBy(StrEnum):
    """Who keeps the keys."""

    EMBEDDED = "embedded"
    OPENBAO = "openbao"


class BlobsIn(StrEnum):
    """Where the blobs lie."""

    FOLDER = "folder"
    S3 = "s3"


@dataclass(frozen=True, slots=True)
class VaultSaid:
    """What is said of the vault. Files are absolute; `key_server` and `s3_endpoint` are there where
    `keys` and `blobs` want them. `key_server_s`, `s3_request_s`: what one call may take."""

    keys: KeysBy = KeysBy.EMBEDDED
    passphrase_file: Path | None = None
    key_server: str = ""
    key_server_mount: str = "transit"
    key_server_token_file: Path | None = None
    key_server_ca: Path | None = None
    key_server_s: int = 5
    blobs: BlobsIn = BlobsIn.FOLDER
    s3_endpoint: str = ""
    s3_bucket: str = ""
    s3_region: str = "us-east-1"
    s3_prefix: str = ""
    s3_key_file: Path | None = None
    s3_request_s: int = 20

    def secret_files(self) -> set[Path]:
        """The files it names that open something."""
        named = {self.passphrase_file, self.key_server_token_file, self.s3_key_file}
        return {file for file in named if file is not None}

    def urls(self) -> tuple[str, ...]:
        """The servers it needs, which the policy set has to name."""
        keys = (self.key_server,) if self.keys is KeysBy.OPENBAO else ()
        blobs = (self.s3_endpoint,) if self.blobs is BlobsIn.S3 else ()
        return keys + blobs


def from_table(table: Table, home: Path) -> VaultSaid:
    """What `[vault]` says; relative file names are taken from `home`. Raises BadInput."""

    def file(name: str) -> Path | None:
        text = table.text(name, "")
        return home / text if text else None

    said = VaultSaid(
        keys=table.choice("keys", KeysBy, KeysBy.EMBEDDED),
        passphrase_file=file("passphrase_file"),
        key_server=table.text("key_server", ""),
        key_server_mount=table.text("key_server_mount", "transit"),
        key_server_token_file=file("key_server_token_file"),
        key_server_ca=file("key_server_ca"),
        key_server_s=table.whole("key_server_s", 5, 1, 60),
        blobs=table.choice("blobs", BlobsIn, BlobsIn.FOLDER),
        s3_endpoint=table.text("s3_endpoint", ""),
        s3_bucket=table.text("s3_bucket", ""),
        s3_region=table.text("s3_region", "us-east-1"),
        s3_prefix=table.text("s3_prefix", ""),
        s3_key_file=file("s3_key_file"),
        s3_request_s=table.whole("s3_request_s", 20, 1, 300),
    )
    table.done()
    if said.keys is KeysBy.OPENBAO:
        server(said.key_server, "key_server")
    if said.blobs is BlobsIn.S3:
        server(said.s3_endpoint, "s3_endpoint")
        if not said.s3_bucket:
            raise BadInput("vault", 'blobs = "s3" needs s3_bucket')
    return said


def server(url: str, name: str) -> Origin:
    """Where a server is. Raises BadInput."""
    try:
        return origin(url)
    except BadInput as error:
        raise BadInput("vault", f"{name}: {error.why}") from None
