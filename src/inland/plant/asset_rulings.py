"""Decisions about assets: asked of the policies and labels as they are now, each time."""

from dataclasses import dataclass
from threading import Lock

from inland.decide.residency import Residency
from inland.decide.rulebook import Verdict
from inland.domain.assets import Action, Asset, AssetKind, AssetState
from inland.domain.errors import Denied, NotFound
from inland.domain.labels import Label
from inland.domain.places import Place
from inland.domain.plant import Key, Role
from inland.plant.changes import Changes
from inland.ports.assets import AssetRow

#: How whoever acts for a run is known; no key's id has a space.
_RUN = "run "


@dataclass(frozen=True, slots=True)
class Ruling:
    """An allow. `policy`, `snapshot`: what decided; `rules`: the ids of the policies."""

    rules: tuple[str, ...]
    policy: str
    snapshot: int
    place: Place
    destination: Place | None

    def facts(self) -> dict[str, object]:
        """As records say it."""
        return {
            "decision": "allow",
            "decided_by": list(self.rules),
            "policy": self.policy,
            "snapshot": self.snapshot,
            "place": place_facts(self.place),
            "destination": None if self.destination is None else place_facts(self.destination),
        }


class AssetRulings:
    """Whether a key may do something with an asset that lies at `site`. Thread-safe."""

    def __init__(self, changes: Changes, site: Place) -> None:
        self._changes = changes
        self.site = site
        self._lock = Lock()
        self._latest: tuple[int, str, Residency] | None = None

    def demand(
        self,
        who: Key,
        action: Action,
        row: AssetRow,
        destination: Place | None = None,
        lies: Place | None = None,
    ) -> Ruling:
        """What allows it; `lies`: where the content is, if not at the site.

        Raises Denied, and NotFound where the key may not know of the asset.
        """
        place = lies or self.site
        version, policy, residency = self._residency()
        verdict = _decided(residency, who, action, row, place, destination)
        if verdict.allowed:
            return Ruling(verdict.rules, policy, version, place, destination)
        if not verdict.visible:
            raise unknown(row.id)
        raise Denied(f"{action.value} of asset {row.id}", verdict.rules, verdict.remedy)

    def demand_for(self, tenant: str, action: Action, row: AssetRow) -> Ruling:
        """What allows it to a tenant, whichever of its people asks: for what runs on its behalf.
        Raises Denied, and NotFound where the tenant may not know of the asset."""
        version, policy, residency = self._residency()
        verdict = residency.explain_asset(tenant, action, closed(row), self.site)
        if verdict.allowed:
            return Ruling(verdict.rules, policy, version, self.site, None)
        if not verdict.visible:
            raise unknown(row.id)
        raise Denied(f"{action.value} of asset {row.id}", verdict.rules, verdict.remedy)

    def _residency(self) -> tuple[int, str, Residency]:
        """Of the snapshot in the database."""
        with self._changes.store.read() as transaction:
            version = transaction.state.version()
        with self._lock:
            if self._latest is None or self._latest[0] != version:
                snapshot = self._changes.snapshot()
                decides = Residency(snapshot)
                self._latest = (snapshot.version, snapshot.policy_digest, decides)
            return self._latest


def acting(run: str, tenant: str) -> Key:
    """Whoever acts for a run of `tenant`: what any of its members may do by a run, and no key that
    opens anything."""
    return Key(f"{_RUN}{run}", tenant, Role.MEMBER, "")


def _decided(
    residency: Residency,
    who: Key,
    action: Action,
    row: AssetRow,
    place: Place,
    destination: Place | None,
) -> Verdict:
    asset, run = closed(row), who.id.removeprefix(_RUN)
    if run == who.id or who.tenant is None:
        return residency.decide_asset(who.id, action, asset, place, destination)
    return residency.explain_asset(who.tenant, action, asset, place, destination, run)


def unknown(asset: str) -> NotFound:
    """What is said of an asset that is not there, and of one that may not be known of."""
    return NotFound(f"asset {asset!r}")


def closed(row: AssetRow) -> Asset:
    """An asset without its name and title: all that is decided on."""
    return Asset(
        id=row.id,
        tenant=row.tenant,
        kind=row.kind,
        name=None,
        version=row.version,
        state=row.state,
        label=row.label,
        shared_with=row.shared_with,
        bytes=row.bytes,
        digest=row.digest,
        parents=row.parents,
        run=row.run,
        created_unix_us=row.created_unix_us,
        title=None,
        ends_unix_s=row.ends_unix_s,
        erased_by=row.erased_by,
        partly_in=row.other_store,
    )


def place_facts(place: Place) -> dict[str, object]:
    """A place as records say it."""
    return {
        "id": place.id,
        "stands": place.stands,
        "operated": place.operated,
        "known": place.known.value,
    }


def as_it_would_be(what: str, tenant: str, kind: AssetKind, label: Label) -> AssetRow:
    """One that is not made yet, as far as a decision is about it. `what`: in place of its id."""
    return AssetRow(
        id=what,
        tenant=tenant,
        kind=kind,
        name=b"",
        title=b"",
        name_mac="",
        version=1,
        state=AssetState.LIVE,
        label=label,
        bytes=0,
        digest="",
        run="",
        resume="",
        created_unix_us=0,
        touched_unix_s=0,
    )
