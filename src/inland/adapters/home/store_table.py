"""`[[vault.store]]` of factory.toml: more places where content of assets may lie."""

from dataclasses import dataclass
from pathlib import Path

from inland.adapters.home.table import Table
from inland.adapters.home.vault_table import BlobsIn, server
from inland.domain.assets import LOCAL_STORE
from inland.domain.errors import BadInput
from inland.domain.places import Place, is_country

#: Beside the factory's own.
MAX_STORES = 16


@dataclass(frozen=True, slots=True)
class StoreSaid:
    """A store, by its place. `folder`, or what is said of S3, is there where `blobs` wants it."""

    place: Place
    blobs: BlobsIn
    folder: Path | None = None
    s3_endpoint: str = ""
    s3_bucket: str = ""
    s3_region: str = "us-east-1"
    s3_prefix: str = ""
    s3_key_file: Path | None = None
    s3_request_s: int = 20


def from_tables(tables: list[Table], home: Path) -> tuple[StoreSaid, ...]:
    """What is said of each; relative file names are taken from `home`. Raises BadInput."""
    stores = tuple(_store(table, home) for table in tables)
    names = [LOCAL_STORE, *(store.place.id for store in stores)]
    if len(stores) > MAX_STORES:
        raise BadInput("vault", f"has more than {MAX_STORES} stores")
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"store {name}", "there is another of that name")
    return stores


def urls(stores: tuple[StoreSaid, ...]) -> tuple[str, ...]:
    """The servers they need, which the policy set has to name."""
    return tuple(store.s3_endpoint for store in stores if store.blobs is BlobsIn.S3)


def _store(table: Table, home: Path) -> StoreSaid:
    folder, key_file = table.text("folder", ""), table.text("s3_key_file", "")
    said = StoreSaid(
        place=_place(table),
        blobs=table.choice("blobs", BlobsIn, BlobsIn.FOLDER),
        folder=home / folder if folder else None,
        s3_endpoint=table.text("s3_endpoint", ""),
        s3_bucket=table.text("s3_bucket", ""),
        s3_region=table.text("s3_region", "us-east-1"),
        s3_prefix=table.text("s3_prefix", ""),
        s3_key_file=home / key_file if key_file else None,
        s3_request_s=table.whole("s3_request_s", 20, 1, 300),
    )
    table.done()
    if said.blobs is BlobsIn.FOLDER and said.folder is None:
        raise BadInput(table.spot, 'say which folder: folder = "/mnt/elsewhere"')
    if said.blobs is BlobsIn.S3:
        server(said.s3_endpoint, "s3_endpoint")
        if not said.s3_bucket or said.s3_key_file is None:
            raise BadInput(table.spot, 'blobs = "s3" needs s3_bucket and s3_key_file')
    return said


def _place(table: Table) -> Place:
    name, stands = table.name("name"), table.text("jurisdiction")
    operated = table.text("operator", stands)
    for code in (stands, operated):
        if not is_country(code):
            why = f"{code!r} is not a country's code such as DE, or ZZ for unknown"
            raise BadInput(table.spot, why)
    return Place(name, stands, operated)
