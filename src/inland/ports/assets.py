"""The tables behind assets: nothing in them is readable but ids, labels and sizes.

Names and titles come sealed, the digests are keyed. Written by `plant/` and nobody else.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

from inland.domain.assets import LOCAL_STORE, Action, AssetKind, AssetState
from inland.domain.labels import Label


@dataclass(frozen=True, slots=True)
class AssetRow:
    """An asset as it is stored. `name_mac`: keyed, so that versions of one name are found.

    `resume`: keyed too; what an upload is found by when it goes on. `touched_unix_s`: when the last
    part came. `erased_by`: the id of the record that certifies it. `store`: where its content is
    read from; `other_store`: where a move under way may have left some of it, empty for nowhere.
    """

    id: str
    tenant: str
    kind: AssetKind
    name: bytes
    title: bytes
    name_mac: str
    version: int
    state: AssetState
    label: Label
    bytes: int
    digest: str
    run: str
    resume: str
    created_unix_us: int
    touched_unix_s: int
    ends_unix_s: int | None = None
    erased_by: str | None = None
    store: str = LOCAL_STORE
    other_store: str = ""
    parents: tuple[str, ...] = ()
    shared_with: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A part that was put. `digest`: keyed, of its content. `proof`: what the vault knows it by."""

    number: int
    digest: str
    proof: bytes


@dataclass(frozen=True, slots=True)
class Intent:
    """What somebody set out to do. `id`: of the record that says so, which came first."""

    id: str
    asset: str
    act: Action
    who: str
    since_unix_s: int
    details: dict[str, Any] = field(default_factory=dict)


class AssetTables(Protocol):
    """One transaction's view of the assets. `put_*` inserts or replaces by id."""

    def asset(self, asset: str) -> AssetRow | None: ...

    def assets(self, tenant: str | None) -> list[AssetRow]:
        """All, or those that are a tenant's or shared with it, in any state, the oldest first."""
        ...

    def some(self, ids: Collection[str]) -> list[AssetRow]:
        """Those of `ids` that there are."""
        ...

    def lies(self, asset: str) -> tuple[str, ...]:
        """The stores that something of its content may lie in, the one it is read from first; none
        where there is no such asset."""
        ...

    def put_asset(self, row: AssetRow) -> None:
        """With its parents and whom it is shared with."""
        ...

    def remove_asset(self, asset: str) -> None:
        """As if it had never been, its parts and lineage too."""
        ...

    def children(self, ids: Collection[str]) -> set[str]:
        """The ids of what was made directly from one of `ids`."""
        ...

    def newest_version(self, tenant: str, kind: AssetKind, name_mac: str) -> int:
        """0 where there is none of that name."""
        ...

    def named(self, tenant: str, kind: AssetKind, name_mac: str) -> list[AssetRow]:
        """All versions of that name, in any state."""
        ...

    def uploads(self, tenant: str | None = None) -> list[AssetRow]:
        """What is being uploaded, of all tenants or of one."""
        ...

    def ended(self, unix_s: int, limit: int) -> list[AssetRow]:
        """Up to `limit` live ones whose retention was over before that time, the oldest first."""
        ...

    def live(self, kind: AssetKind) -> list[AssetRow]:
        """Every tenant's live ones of that kind, the oldest first."""
        ...

    def count(self, tenant: str | None = None) -> int:
        """How many there are in any state but erased, of all tenants or of one."""
        ...

    def parts(self, asset: str) -> dict[int, Part]:
        """Those received, by number."""
        ...

    def part(self, asset: str, number: int) -> Part | None: ...

    def put_part(self, asset: str, part: Part, unix_s: int) -> None:
        """Of an upload, which is touched by it."""
        ...

    def remove_part(self, asset: str, number: int) -> None: ...

    def remove_parts(self, asset: str) -> None: ...

    def forget_parts(self, asset: str, limit: int) -> int:
        """Remove up to `limit` of them; how many."""
        ...

    def close(self, ids: Collection[str]) -> None:
        """They are ERASING from now on."""
        ...

    def empty(self, ids: Collection[str]) -> None:
        """Of what they were called, held and are made with, nothing is here any more."""
        ...

    def certify(self, ids: Collection[str], record: str) -> None:
        """They are ERASED, which that record says, and shared with nobody; what was so before
        stays as it is."""
        ...

    def put_texts(self, asset: str, name: bytes, title: bytes) -> None: ...

    def older_tenants(self) -> list[str]:
        """Whose own key once sealed names, and is there still."""
        ...

    def older(self, tenant: str, limit: int) -> list[AssetRow]:
        """Up to `limit` of its assets whose names rest under that key."""
        ...

    def remove_older(self, tenant: str, asset: str) -> None:
        """That asset is none of them; with none named, the tenant's key is gone."""
        ...

    def intents(self) -> list[Intent]:
        """What is under way or was left, the oldest first."""
        ...

    def intents_of(self, ids: Collection[str]) -> list[Intent]:
        """Those with one of these assets."""
        ...

    def intent(self, intent: str) -> Intent | None: ...

    def put_intent(self, intent: Intent) -> None: ...

    def remove_intent(self, intent: str) -> None: ...
