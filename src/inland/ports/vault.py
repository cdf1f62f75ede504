"""The vault: content of assets, sealed part by part, each asset under a key of its own.

What the plant needs of keys and blobs together. A part is authenticated with the name it was put
under: parts cannot be swapped, cut off or mixed between assets and versions.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from inland.domain.errors import InlandError


class PartName(NamedTuple):
    """`number`: from 0 on, in the content's order."""

    tenant: str
    asset: str
    number: int


#: The texts of an asset.
NAME, TITLE = "name", "title"


class TextName(NamedTuple):
    """A short text that goes with an asset. `field`: which."""

    tenant: str
    asset: str
    field: str


@dataclass
class Unreadable(InlandError):
    """What lies there is not what was put; `part` as people read it. `may_pass`: a server shows it
    so, and may show it right when it is asked again."""

    part: str
    may_pass: bool = False

    def __str__(self) -> str:
        if self.may_pass:
            return f"the blob store does not show {self.part} as it was put: ask again"
        return f"{self.part} is missing or was changed: `inland vault check` says what else is"


class Vault(Protocol):
    """Calls block, and raise what `ports.keys` and `ports.blobs` raise."""

    def put(self, part: PartName, data: bytes) -> bytes:
        """`take` of one piece."""
        ...

    def take(self, part: PartName, size: int, pieces: Iterable[bytes | memoryview]) -> bytes:
        """Seal `pieces`, `size` bytes in all and at most `assets.PART_BYTES`, each before the next
        is asked for; durable when it returns. Raises what `pieces` raises: nothing was put then.

        Returns 16 bytes that know this very sealing: no secret, to be kept with the books.
        """
        ...

    def get(self, part: PartName, proof: bytes | None = None) -> memoryview:
        """The plaintext, gone with who holds it. Raises Unreadable, KeyGone, KeyWithdrawn.

        With the `proof` that `put` returned, a store that shows what lay there before is noticed.
        """
        ...

    def knows(self, part: PartName, proof: bytes, sealed: memoryview) -> bool:
        """Whether `sealed`, wherever it was read, is that part whole, as `put` returned its
        `proof`; it is left as it is. Raises KeyGone, KeyWithdrawn."""
        ...

    def parts(self, asset: str) -> Iterator[int]:
        """The numbers of the parts that lie there, whether they open or not, in order."""
        ...

    def has_key(self, tenant: str, asset: str) -> bool:
        """Whether there is one, withdrawn or not."""
        ...

    def erase(self, tenant: str, asset: str, numbers: Iterable[int] = ()) -> None:
        """Destroy the key first, then remove what it sealed: all that is listed, and the parts of
        these `numbers` whether they are or not. May be repeated after any failure.

        Without a `tenant`, what lies there under no key: `assets` tells of it.
        """
        ...

    def seal(self, name: TextName, text: str) -> bytes:
        """A short text under its asset's own key, to be stored anywhere: `erase` takes it too."""
        ...

    def unseal(self, name: TextName, sealed: bytes) -> str:
        """What `seal` was given. Raises Unreadable, KeyGone, KeyWithdrawn."""
        ...

    def unseal_older(self, tenant: str, sealed: bytes) -> str:
        """A text that rests under a key of its tenant's, as they once did. Raises as `unseal`."""
        ...

    def forget_older(self, tenant: str) -> None:
        """Destroy that key: no text opens under it any more, whatever copies there are."""
        ...

    def digest_key(self, tenant: str) -> bytes:
        """The tenant's key for digests of content; it seals nothing."""
        ...

    def assets(self) -> Iterator[tuple[str, str]]:
        """(tenant, asset) of all that has a key or a part; of parts without a key the tenant is not
        known, and empty."""
        ...
