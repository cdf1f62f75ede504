"""Assets: versioned data with a label, content-addressed inside their tenant.

An asset's content is a row of parts, each sealed by itself under the asset's own key, so that an
upload goes on where it was cut and nobody holds more than a part in memory.
"""

from dataclasses import dataclass
from enum import StrEnum

from inland.domain.labels import Label

#: Bytes of plaintext in every part but the last.
PART_BYTES = 8 << 20


class AssetKind(StrEnum):
    """What an asset is to whoever uses it."""

    DATASET = "dataset"
    DOCUMENTS = "documents"
    MODEL = "model"
    ADAPTER = "adapter"
    SUITE = "suite"


class AssetState(StrEnum):
    """Where an asset is in its life. What is not LIVE is shown to nobody as content."""

    UPLOADING = "uploading"
    LIVE = "live"
    ERASING = "erasing"  # the intent is durable; what is left is being done
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Asset:
    """One version of one asset. `id`: random, and all that is known of it outside its tenant.

    `digest`: HMAC-SHA-256 of the content under a key of the tenant's (equal content is known inside
    the tenant only), hex, empty while uploading. `name` is sealed where it is stored. `parents`:
    ids of what it was made from; `run`: by which run, empty where a person made it.
    """

    id: str
    tenant: str
    kind: AssetKind
    name: str
    version: int
    state: AssetState
    label: Label
    shared_with: tuple[str, ...]
    bytes: int
    digest: str
    parents: tuple[str, ...]
    run: str
    created_unix_us: int
