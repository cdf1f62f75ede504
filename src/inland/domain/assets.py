"""Assets: versioned data with a label, content-addressed inside their tenant.

An asset's content is a row of parts, each sealed by itself under the asset's own key, so that an
upload goes on where it was cut and nobody holds more than a part in memory.
"""

from dataclasses import dataclass
from enum import StrEnum

from inland.domain.labels import Label
from inland.domain.places import Place

#: What stands before an asset's id where something else could be named as well.
ASSET = "asset:"
#: Bytes of plaintext in every part but the last; a part is one request's body.
PART_BYTES = 4 << 20
#: The store that a factory has by its site: where new content goes.
LOCAL_STORE = "local"


class AssetKind(StrEnum):
    """What an asset is to whoever uses it."""

    DATASET = "dataset"
    DOCUMENTS = "documents"
    MODEL = "model"
    ADAPTER = "adapter"
    SUITE = "suite"
    FEEDBACK = "feedback"  # empty itself: what people say of answers rests under its key
    CHECKPOINT = "checkpoint"  # how far a training came; a run makes and erases it


class AssetState(StrEnum):
    """Where an asset is in its life. What is not LIVE is shown to nobody as content."""

    UPLOADING = "uploading"
    LIVE = "live"
    ERASING = "erasing"  # the intent is durable; what is left is being done
    ERASED = "erased"


class Action(StrEnum):
    """What is asked of the policy engine about an asset: its purposes, and what keeps it."""

    SERVE = "serve"
    TRAIN = "train"
    EVALUATE = "evaluate"
    RETRIEVE = "retrieve"
    EXPORT = "export"  # out of the factory, to a destination
    READ = "read"  # its content, inside; what is known of it (its label, say) takes none
    STORE = "store"  # put it at a place
    MOVE = "move"  # to be stored at another place of the factory
    SHARE = "share"  # with another tenant, and no longer
    TIGHTEN = "tighten"  # its label, which will allow nothing more
    LOOSEN = "loosen"  # its label
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Asset:
    """One version of one asset. `id`: random, and all that is known of it outside its tenant.

    `digest`: HMAC-SHA-256 under a key of the tenant's (equal content is known inside the tenant
    only) over those of the parts, hex, empty while uploading. `name` and `title` are sealed where
    they are stored, and None where the tenant's keys cannot be had. `parents`: ids of what it was
    made from; `run`: by which run, empty where a person made it. `version`: 0 while uploading.
    `ends_unix_s`: when its retention is over, None for never. `erased_by`: the record of its end.
    `lies`: where its content is stored; `partly_in`: the store that a move under way may have some
    of it in, empty for none.
    """

    id: str
    tenant: str
    kind: AssetKind
    name: str | None
    version: int
    state: AssetState
    label: Label
    shared_with: tuple[str, ...]
    bytes: int
    digest: str
    parents: tuple[str, ...]
    run: str
    created_unix_us: int
    title: str | None = ""
    ends_unix_s: int | None = None
    erased_by: str | None = None
    lies: Place | None = None
    partly_in: str = ""


def part_count(size: int) -> int:
    """How many parts a content of `size` bytes has."""
    return -(-size // PART_BYTES)


def part_bytes(size: int, number: int) -> int:
    """The length of a part; 0 where a content of `size` bytes has none of that number."""
    return max(min(size - number * PART_BYTES, PART_BYTES), 0) if number >= 0 else 0
