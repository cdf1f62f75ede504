"""Weights in an object store: the URL is signed here, and fetched like any other, by the door."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from inland.adapters.egress.fetching import Fetcher
from inland.adapters.weights.digest import Progress
from inland.adapters.weights.sources.source import Brought
from inland.domain.errors import BadInput

REGION = "us-east-1"
#: How long a signed URL holds: each try signs its own.
SIGNED_FOR = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class BucketSource:
    """`BUCKET/KEY` at `endpoint` (AWS's own where empty). `credentials`: `ID:SECRET`, or empty for
    what everybody may read."""

    fetcher: Fetcher
    spec: str
    endpoint: str = ""
    region: str = REGION
    credentials: str = ""

    def bring(self, part: Path, most_bytes: int, progress: Progress) -> Brought:
        """Fetched, resumed where it was cut."""
        told = self.fetcher.into(part, self._url(), {}, most_bytes, progress)
        return Brought(hosts=told.hosts)

    def _url(self) -> str:
        bucket, _, key = self.spec.removeprefix("//").partition("/")
        access, _, secret = self.credentials.partition(":")
        if not bucket or not key:
            raise BadInput("source", "s3: takes BUCKET/KEY")
        base = self.endpoint or f"https://s3.{self.region}.amazonaws.com"
        if not secret:
            return f"{base}/{bucket}/{key}"
        try:
            import obstore  # noqa: PLC0415 - native code of an extra, that only this needs
            from obstore.store import S3Store  # noqa: PLC0415
        except ImportError:
            raise BadInput("source", "s3: with a key takes the extra s3 (obstore)") from None
        store = S3Store(
            bucket,
            endpoint=base,
            region=self.region,
            access_key_id=access,
            secret_access_key=secret,
            client_options={"allow_http": base.startswith("http://")},
        )
        return str(obstore.sign(store, "GET", key, SIGNED_FOR))
