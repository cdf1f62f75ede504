"""A plant with tenants whose keys add assets, and parts small enough to have several of."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy.engine import URL

from inland.adapters.files.clock import SystemEntropy
from inland.batches import output
from inland.domain import assets
from inland.domain.assets import AssetKind
from inland.domain.plant import Key, Role
from inland.plant import exports, feedback, files, jobs, uploads
from inland.plant.asset_terms import AssetTerms
from inland.plant.uploads import NewAsset
from inland.ports.keys import Keys
from inland.ports.vault import PartName
from tests import postgresql
from tests.patience import PATIENCE_S
from tests.unit.plant.parts import Plant

#: Bytes of a part in these tests.
STEP = 64
PLACES = (assets, uploads, exports, feedback, jobs, files, output)
_KEYS = {
    "admin": ("acme", Role.TENANT_ADMIN),
    "member": ("acme", Role.MEMBER),
    "other": ("demo", Role.TENANT_ADMIN),
    "operator": (None, Role.OPERATOR),
}
CANARY = b"canary-7c1f-in-the-coal-mine"


def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of `STEP` bytes, wherever their size is looked at."""
    for place in PLACES:
        monkeypatch.setattr(f"{place.__name__}.PART_BYTES", STEP)


def set_small_parts() -> None:
    """The same for the rest of a process."""
    for place in PLACES:
        place.PART_BYTES = STEP  # type: ignore[attr-defined]


class World:
    """`admin`, `member`: keys of acme; `other`: one of demo; `operator`: staff.

    A home that is there already goes on as after a restart of control.
    """

    def __init__(
        self, home: Path, url: str | URL | None = None, kept_keys: Keys | None = None
    ) -> None:
        self.plant = Plant(home, url=url, kept_keys=kept_keys)
        self.plant.entropy = self.plant.changes.entropy = SystemEntropy()
        keys = self.plant.keys.all()
        if not keys:
            self.plant.begin()
            for tenant in ("acme", "demo"):
                self.plant.tenants.add("op", tenant)
            for whose, role in _KEYS.values():
                self.plant.keys.add("op", whose, role)
            keys = self.plant.keys.all()
        known = {(key.tenant, key.role): key for key in keys if not key.batch}
        self.admin, self.member, self.other, self.operator = (known[one] for one in _KEYS.values())

    def again(self) -> "World":
        """The same home after a restart of control: nothing of memory is left."""
        self.plant.store.close()
        if isinstance(self.plant.url, URL):
            postgresql.let_go(self.plant.url)
        made = World(self.plant.home, self.plant.url)
        made.plant.clock.now_s = self.plant.clock.now_s
        return made

    def begin(self, data: bytes, who: Key | None = None, **more) -> str:
        key = who or self.member
        wanted = {"tenant": key.tenant or "acme", "kind": AssetKind.DATASET, "name": "corpus"}
        return self.plant.uploads.begin(key, NewAsset(**wanted | {"bytes": len(data)} | more)).id

    def put(self, asset: str, data: bytes, who: Key | None = None) -> None:
        for number in range(-(-len(data) // STEP)):
            part = data[number * STEP :][:STEP]
            self.plant.uploads.put(who or self.member, asset, number, part)

    def add(self, data: bytes = CANARY * 7, who: Key | None = None, **more) -> str:
        """A whole upload; the asset's id."""
        asset = self.begin(data, who, **more)
        self.put(asset, data, who)
        return self.plant.uploads.finish(who or self.member, asset).id

    def read(self, asset: str, who: Key | None = None) -> bytes:
        """A whole export."""
        key = who or self.member
        export = self.plant.exports.begin(key, asset)
        parts = [
            self.plant.exports.part(key, asset, export.id, number) for number in range(export.parts)
        ]
        self.plant.exports.finish(key, asset, export.id)
        return b"".join(parts)

    @contextmanager
    def slow_parts(self, monkeypatch: pytest.MonkeyPatch, of: str) -> Iterator[list[PartName]]:
        """Parts of an asset that were asked for; none is told before the end of the block."""
        asked: list[PartName] = []
        going, get = Event(), self.plant.vault.get

        def slowly(part: PartName, proof: bytes | None = None) -> memoryview:
            if part.asset == of:
                asked.append(part)
                assert going.wait(PATIENCE_S)
            return get(part, proof)

        monkeypatch.setattr(self.plant.vault, "get", slowly)
        try:
            yield asked
        finally:
            going.set()

    def said(self, what: str) -> list[dict]:
        """The records of one kind of act, in order."""
        return [one for one in self.plant.records() if one.get("what") == what]


TIGHT = AssetTerms(purposes=())
