"""`ports.blobs` in an S3 bucket, through `obstore` and the door.

What was put is asked for again before `put` returns: a server that did not take it, or shows an
older one, is away rather than believed. What it answers later is the vault's to check.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.door import Origin
from inland.adapters.egress.proxy import Proxy
from inland.adapters.memory.pages import pages
from inland.adapters.vault.folder_blobs import NAME
from inland.adapters.vault.rest import REST_S, Rest, Resting
from inland.ports.blobs import BlobsAway
from inland.ports.keys import KeysAway

if TYPE_CHECKING:
    from obstore.store import S3Credential

#: Listed at once.
_PAGE = 1000
#: How long a key that was read is used, at most, in seconds.
_KEY_S = 5.0
_WHY_CHARS = 300


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where it is, and what opens it. `key`: access key and secret key, read anew as it changes;
    raises KeysAway. `prefix`: put before every name."""

    endpoint: Origin
    name: str
    region: str
    key: Callable[[], tuple[str, str]] = field(repr=False)
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for a connection, for one request and for all its repeats."""

    connect_s: float = 5.0
    request_s: float = 20.0
    retries_s: float = 10.0
    retries: int = 3
    rest_s: float = REST_S


class S3Blobs:
    """The blobs of one bucket. Threads may share it."""

    def __init__(
        self, bucket: Bucket, door: BlockingDoor, patience: Patience | None = None
    ) -> None:
        wait, to = patience or Patience(), bucket.endpoint
        self._proxy = Proxy(door, "blobs").__enter__()
        self._key, self._rest = bucket.key, Rest(wait.rest_s, wait.request_s / 2)
        self._prefix = f"{bucket.prefix.strip('/')}/" if bucket.prefix.strip("/") else ""
        self._store = S3Store(
            bucket.name,
            endpoint=f"{'https' if to.tls else 'http'}://{to.authority}{to.path}",
            region=bucket.region or "us-east-1",
            credential_provider=self._credential,
            virtual_hosted_style_request=False,
            client_options={
                "allow_http": not to.tls,
                "proxy_url": self._proxy.url,
                "connect_timeout": timedelta(seconds=wait.connect_s),
                "timeout": timedelta(seconds=wait.request_s),
            },
            retry_config={
                "max_retries": wait.retries,
                "retry_timeout": timedelta(seconds=wait.retries_s),
            },
        )

    def close(self) -> None:
        """Let no more connections out."""
        self._proxy.close()

    def demand(self) -> None:
        with self._asking():
            next(iter(obstore.list(self._store, self._prefix or None, chunk_size=1)), None)

    def put(self, name: str, data: bytes | bytearray | memoryview) -> None:
        path = self._at(name)
        with self._asking():
            put = obstore.put(self._store, path, data, use_multipart=False)
            if not self._shows(path, data, put["e_tag"]):
                raise BlobsAway("the server shows something else than it just took")

    def get(self, name: str) -> memoryview | None:
        path = self._at(name)
        with self._asking():
            try:
                found = memoryview(obstore.get(self._store, path).bytes())
            except (NotFoundError, FileNotFoundError):
                return None
            there = pages(len(found))[: len(found)]
            there[:] = found
            return there

    def may_err(self, name: str) -> bool:
        return True

    def remove(self, name: str) -> None:
        path = self._at(name)
        with self._asking():
            try:
                obstore.delete(self._store, path)
                obstore.head(self._store, path)
            except (NotFoundError, FileNotFoundError):
                return
        raise BlobsAway("the server still shows what it just removed")

    def names(self, under: str = "") -> Iterator[str]:
        folder = under.rpartition("/")[0]
        with self._asking():
            pages = obstore.list(self._store, f"{self._prefix}{folder}" or None, chunk_size=_PAGE)
            found = sorted(str(one["path"]) for page in pages for one in page)
        for path in found:
            name = path.removeprefix(self._prefix)
            if path.startswith(self._prefix) and name.startswith(under):
                yield name

    def _shows(self, path: str, data: bytes | bytearray | memoryview, e_tag: str | None) -> bool:
        """Whether what lies there is what was put: by its ETag, else by all its bytes."""
        if e_tag is not None:
            seen = obstore.head(self._store, path)
            return seen["size"] == len(data) and seen["e_tag"] == e_tag
        return bytes(obstore.get(self._store, path).bytes()) == data

    def _at(self, name: str) -> str:
        assert NAME.match(name), name
        return f"{self._prefix}{name}"

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Whatever goes wrong, the store is away: what it answered is nowhere believed."""
        try:
            with self._rest.asking(BaseError, OSError, ValueError):
                self._key()  # what is wrong with it is told better by itself than through a library
                yield
        except (BaseError, OSError, ValueError, Resting) as error:
            raise BlobsAway(_line(error)) from None
        except KeysAway as error:
            raise BlobsAway(error.why) from None

    def _credential(self) -> "S3Credential":
        access, secret = self._key()
        until = datetime.now(UTC) + timedelta(seconds=_KEY_S)
        return {"access_key_id": access, "secret_access_key": secret, "expires_at": until}


def _line(why: object) -> str:
    return " ".join(str(why).split())[:_WHY_CHARS]
