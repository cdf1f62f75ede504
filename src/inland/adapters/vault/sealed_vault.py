"""`ports.vault` over keys and blobs: each part a blob of its own, named by the asset's random id.

No key is kept here between two calls: what is withdrawn or destroyed opens nothing from then on.
"""

from collections.abc import Iterable, Iterator

from inland.adapters.files.clock import SystemEntropy
from inland.adapters.memory.pages import Rooms, pages
from inland.adapters.vault.sealing import (
    OVERHEAD_BYTES,
    TAG_BYTES,
    bound_to,
    seal,
    seal_pieces,
    unseal,
    unseal_there,
)
from inland.domain.assets import PART_BYTES
from inland.ports.blobs import Blobs
from inland.ports.clock import Entropy
from inland.ports.keys import KeyName, Keys
from inland.ports.vault import PartName, TextName, Unreadable

#: Below which the blobs of all parts lie.
PARTS = "parts"
#: The tenant's own keys, where an asset's id could stand; TEXTS: of texts sealed by older versions.
TEXTS, DIGESTS = "texts", "digests"
#: Kept for what is sealed next, of a part each.
ROOMS = 4
_OWN = frozenset({TEXTS, DIGESTS})
_PART, _TEXT = "inland vault part v1", "inland vault text v2"
_OLDER_TEXT = "inland vault text v1"


class SealedVault:
    """One factory's vault. Threads may share it."""

    def __init__(self, keys: Keys, blobs: Blobs, entropy: Entropy | None = None) -> None:
        self._keys = keys
        self._blobs = blobs
        self._entropy = entropy or SystemEntropy()
        self._rooms = Rooms(OVERHEAD_BYTES + PART_BYTES, ROOMS)

    def put(self, part: PartName, data: bytes) -> bytes:
        return self.take(part, len(data), (data,))

    def take(self, part: PartName, size: int, pieces: Iterable[bytes | memoryview]) -> bytes:
        assert size <= PART_BYTES
        key = self._keys.make(KeyName(part.tenant, part.asset))
        with self._rooms.one() as room:
            sealed = room[: OVERHEAD_BYTES + size]
            seal_pieces(key, _bound(part), pieces, self._entropy, sealed)
            self._blobs.put(blob_name(part.asset, part.number), sealed)
            return bytes(sealed[-TAG_BYTES:])

    def get(self, part: PartName, proof: bytes | None = None) -> memoryview:
        key = self._keys.open(KeyName(part.tenant, part.asset))
        name = blob_name(part.asset, part.number)
        sealed = self._blobs.get(name)
        if sealed is not None and (proof is None or sealed[-TAG_BYTES:] == proof):
            data = unseal_there(key, _bound(part), sealed)
            if data is not None:
                return data
        raise unreadable(part, may_pass=self._blobs.may_err(name))

    def knows(self, part: PartName, proof: bytes, sealed: memoryview) -> bool:
        key = self._keys.open(KeyName(part.tenant, part.asset))
        if sealed[-TAG_BYTES:] != proof:
            return False
        there = pages(len(sealed))[: len(sealed)]
        there[:] = sealed
        return unseal_there(key, _bound(part), there) is not None

    def parts(self, asset: str) -> Iterator[int]:
        for name in self._blobs.names(f"{PARTS}/{asset}/"):
            number = name.rpartition("/")[2]
            if number.isdecimal():
                yield int(number)

    def has_key(self, tenant: str, asset: str) -> bool:
        return self._keys.exists(KeyName(tenant, asset))

    def erase(self, tenant: str, asset: str, numbers: Iterable[int] = ()) -> None:
        assert asset not in _OWN
        if tenant:
            self._keys.destroy(KeyName(tenant, asset))
        for name in blob_names(self._blobs, asset, numbers):
            self._blobs.remove(name)

    def seal(self, name: TextName, text: str) -> bytes:
        key = self._keys.make(KeyName(name.tenant, name.asset))
        return seal(key, bound_to(_TEXT, *name), text.encode(), self._entropy)

    def unseal(self, name: TextName, sealed: bytes) -> str:
        key = self._keys.open(KeyName(name.tenant, name.asset))
        return _text(
            unseal(key, bound_to(_TEXT, *name), sealed), f"the {name.field} of {name.asset}"
        )

    def unseal_older(self, tenant: str, sealed: bytes) -> str:
        key = self._keys.open(KeyName(tenant, TEXTS))
        return _text(unseal(key, bound_to(_OLDER_TEXT, tenant), sealed), f"a text of {tenant}")

    def forget_older(self, tenant: str) -> None:
        self._keys.destroy(KeyName(tenant, TEXTS))

    def digest_key(self, tenant: str) -> bytes:
        return self._keys.make(KeyName(tenant, DIGESTS))

    def assets(self) -> Iterator[tuple[str, str]]:
        with_key = {
            name.asset: name.tenant for name in self._keys.names() if name.asset not in _OWN
        }
        yield from sorted((tenant, asset) for asset, tenant in with_key.items())
        last = ""
        for name in self._blobs.names(f"{PARTS}/"):
            asset = name.split("/")[1]
            if asset != last and asset not in with_key:
                yield "", asset
            last = asset


def blob_name(asset: str, number: int) -> str:
    """The name of a part's blob: in the order of numbers, and nothing of whose it is."""
    return f"{PARTS}/{asset}/{number:08d}"


def blob_names(blobs: Blobs, asset: str, numbers: Iterable[int]) -> list[str]:
    """What may lie there of an asset: all that is listed, and parts of these numbers."""
    known = (blob_name(asset, number) for number in numbers)
    return sorted({*blobs.names(f"{PARTS}/{asset}/"), *known})


def _bound(part: PartName) -> bytes:
    return bound_to(_PART, part.tenant, part.asset, str(part.number))


def _text(data: bytes | None, what: str) -> str:
    if data is None:
        raise Unreadable(what)
    return data.decode()


def unreadable(part: PartName, *, may_pass: bool = False) -> Unreadable:
    """What is said of a part that does not open."""
    return Unreadable(f"part {part.number} of asset {part.asset}", may_pass=may_pass)
