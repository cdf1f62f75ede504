"""Who may hold plaintext of assets: engines of models and adapters that lie in the vault, and jobs.

What each holds is decided anew whenever anything may have changed (a label, a share, a policy, keys
withdrawn, an erase): whoever may not hold it any more is ended, and its memory goes with it. An
engine with adapters of several tenants is replaced by one without that one: the others' answers
have `LETTING_GO_S` to end in it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Protocol

from inland.domain.assets import Action, AssetKind, AssetState, part_count
from inland.domain.errors import BadInput, Damaged, Denied, NotFound
from inland.domain.plant import Model
from inland.plant.asset_claims import Claims
from inland.plant.asset_rulings import AssetRulings, unknown
from inland.plant.changes import Changes
from inland.plant.deployments import drop_deployment
from inland.plant.killed import Killed, demand_released
from inland.plant.models import model_of_asset
from inland.plant.release_moves import retire
from inland.ports.assets import AssetRow, AssetTables
from inland.ports.plaintext import Memory, Plaintext
from inland.ports.runner import Runner
from inland.ports.state import StateTables
from inland.ports.store import Transaction
from inland.ports.vault import PartName, Vault

#: How long an engine that holds an adapter which it may not, beside others, goes on; and how often
#: whoever waits for that looks, in seconds.
LETTING_GO_S, _LOOK_S = 10.0, 0.1


class Working(Protocol):
    """Those who hold plaintext besides engines."""

    def kill_those_denied(self) -> Sequence[Killed]:
        """Those that may not hold what they hold, each of them killed; waits for none of them."""
        ...

    def holds(self) -> bool:
        """Whether any of them holds something, or is about to."""
        ...


class Holders:
    """The holders of one factory. Threads may share it."""

    def __init__(
        self,
        changes: Changes,
        vault: Vault,
        rulings: AssetRulings,
        claims: Claims,
        runner: Runner,
        memory: Memory,
    ) -> None:
        self._changes = changes
        self._vault = vault
        self._rulings = rulings
        self._claims = claims
        self._runner = runner
        self._memory = memory
        self._lock = Lock()
        self._others: list[Working] = []
        self._asked: tuple[int, dict[AssetRow, str]] = (-1, {})
        self._handed: dict[tuple[str, int], frozenset[str]] = {}
        self._until: dict[tuple[str, int], float] = {}
        self._handings, self._settled_at = 0, -1

    def know(self, working: Working) -> None:
        """From now on they are ended with the rest."""
        self._others.append(working)

    def opened(
        self, rows: Sequence[AssetRow], still: Callable[[], None] | None = None
    ) -> list[Plaintext]:
        """Memory files of them, in that order. `still` is asked before each part, and raises where
        nothing more is to be opened.

        Raises that, what the vault does, and Busy for want of memory; then there is none.
        """
        files: list[Plaintext] = []
        try:
            files.extend(self._memory.hold(row.bytes, self._content(row, still)) for row in rows)
        except BaseException:
            for file in files:
                file.close()
            raise
        return files

    def weights(self, process: str, pid: int, adapters: Sequence[str] = ()) -> list[Plaintext]:
        """What an engine that starts is to load, decided now: its weights, where they are an asset,
        and those adapters, of what its deployment serves. Raises NotFound, Denied, Busy, and what
        the vault does."""
        replica = next(
            (
                one.replica
                for one in self._runner.processes()
                if (one.name, one.pid) == (process, pid)
            ),
            None,
        )
        with self._changes.store.read() as transaction:
            rows = _served(transaction, replica or "", adapters)
        if not rows:
            raise NotFound(f"model for process {process!r}")
        for row in rows:
            self._rulings.demand_for(row.tenant, Action.SERVE, row)
        self._handed[process, pid] = frozenset(adapters)
        self._handings += 1  # decided before a change, it may be known only after it was settled
        return self.opened(rows)

    def vetted(self, asset: str, kind: AssetKind = AssetKind.MODEL) -> Model:
        """The model, or the adapter, whose weights an asset is: decided for its owner and inspected
        by a child.

        Raises NotFound, BadInput for what is no clean GGUF of that kind, Denied, Busy, and what the
        vault does.
        """
        with self._changes.store.read() as transaction:
            known = transaction.state.models().get(asset)
            row = transaction.assets.asset(asset)
            tenant = None if row is None else transaction.state.tenant(row.tenant)
        if row is None or row.state is not AssetState.LIVE:
            raise unknown(asset)
        if row.kind is not kind:
            raise BadInput(kind, f"asset {asset} is of kind {row.kind.value}, and no {kind.value}")
        self._rulings.demand_for(row.tenant, Action.SERVE, row)
        if known is not None:
            return known
        (file,) = self.opened([row])
        try:
            clean = self._memory.inspect(file)
        finally:
            file.close()
        if clean.kind != "gguf":
            raise BadInput(kind, f"asset {asset} is {clean.kind}; llama.cpp takes GGUF alone")
        role = clean.role or AssetKind.MODEL.value
        if role != kind.value:
            raise BadInput(kind, f"asset {asset} says that it is a GGUF of type {role!r}")
        return model_of_asset(row, tenant, clean.licence or None)

    def held_back(self) -> Mapping[str, str]:
        """Models that no engine may have just now, each with why."""
        with self._changes.store.read() as transaction:
            tenants, models = transaction.state.tenants(), transaction.state.models()
            private = {one.id: one for one in models.values() if one.asset is not None}
            rows = {row.id: row for row in transaction.assets.some(private)} if private else {}
            version = transaction.state.version()
        told = {}
        for model in models.values():
            owner = tenants.get(model.label.owner)
            if owner is not None and owner.withdrawn:
                told[model.id] = f"{owner.id} has withdrawn its keys"
            elif model.id in private and (why := self._why_not(rows.get(model.id), version)):
                told[model.id] = why
        return told

    def settle(self) -> None:
        """Have everything held by whom it may be held by, and nobody else, when it returns.

        Raises Busy where nobody answers for the processes, and goes on at the next call.
        """
        while self._settled():
            self._changes.clock.sleep(_LOOK_S)

    def step(self) -> None:
        """The same, without waiting for engines whose other answers may end first."""
        handings = self._handings
        waiting = self._settled()
        self._settled_at = -1 if waiting else handings

    def rests(self) -> bool:
        """As controllers do: nothing was handed over since, and nobody waits for its end."""
        if self._settled_at != self._handings:
            return False
        return not any(one.holds() for one in self._others)

    def _settled(self) -> bool:
        """Whether some engines hold what they may not for a while still."""
        with self._lock:
            denied = self.held_back()
            engines = self._engines(denied)  # of erased ones, while they are known
            self._follow()
            late, waiting = self._beside_others(denied)
        ending = (*engines, *late)
        if not ending:
            self._end_others()
            return waiting
        with ThreadPoolExecutor(1, "engines") as beside:  # each kind takes its time
            ended = beside.submit(self._runner.end, ending)
            self._end_others()
        ended.result()
        return waiting

    def _end_others(self) -> None:
        """All of them are killed before any is waited for. Raises Conflict for one that does not
        let go."""
        killed = [each for one in self._others for each in one.kill_those_denied()]
        demand_released(killed, self._changes.clock)

    def _beside_others(self, denied: Mapping[str, str]) -> tuple[tuple[str, ...], bool]:
        """Engines that hold adapters which they may not, whose time is up; and whether there are
        more of them. What was handed over by an earlier control is known from its replica."""
        with self._changes.store.read() as transaction:
            models, replicas = transaction.state.models(), transaction.state.replicas()
        if not self._handed and not any(one.adapters for one in replicas.values()):
            return (), False
        now, there = self._changes.clock.monotonic(), {}
        for view in self._runner.processes():
            if view.replica is None or view.pid is None:
                continue
            known = replicas.get(view.replica)
            told = frozenset(() if known is None else known.adapters)
            there[view.name, view.pid] = self._handed.get((view.name, view.pid), told)
        self._handed = {life: held for life, held in self._handed.items() if life in there}
        wrong = [
            life
            for life, held in there.items()
            if any(one in denied or one not in models for one in held)
        ]
        self._until = {life: self._until.get(life, now + LETTING_GO_S) for life in wrong}
        late = tuple(name for (name, _), until in self._until.items() if now >= until)
        return late, len(late) < len(wrong)

    def _why_not(self, row: AssetRow | None, version: int) -> str:
        """Why its owner may not have it served; empty where it may. Asked once in a snapshot."""
        if row is None or row.state is not AssetState.LIVE:
            return "its asset is erased"
        if self._asked[0] != version:
            self._asked = (version, {})
        known = self._asked[1]
        if row not in known:
            known[row] = self._refused(row)
        return known[row]

    def _refused(self, row: AssetRow) -> str:
        try:
            self._rulings.demand_for(row.tenant, Action.SERVE, row)
        except (Denied, NotFound) as error:
            return str(error)
        return ""

    def _engines(self, denied: Mapping[str, str]) -> tuple[str, ...]:
        """The processes that serve those models."""
        if not denied:
            return ()
        with self._changes.store.read() as transaction:
            deployments = transaction.state.deployments()
        served = {name for name, one in deployments.items() if one.model in denied}
        return tuple(
            view.name
            for view in self._runner.processes()
            if view.replica is not None and view.replica.rpartition("-")[0] in served
        )

    def _follow(self) -> None:
        """Models that lie in the vault are as their assets are now: whose, for what, shared with
        whom. Those whose asset went go too, and what served them."""
        with self._changes.store.read() as transaction:
            if next(_followed(transaction.state, transaction.assets), None) is None:
                return
        with self._changes.change("vault") as change:
            for model, wanted in list(_followed(change.state, change.assets)):
                if wanted is not None:
                    change.state.put_model(wanted)
                    change.touch()
                    continue
                for name, one in change.state.deployments().items():
                    if one.model == model.id:
                        drop_deployment(change, name)
                retire(change, "its adapter is erased", adapter=model.id)
                change.state.remove_model(model.id)
                change.book("model.remove", model.id, owner=model.label.owner)

    def _content(self, row: AssetRow, still: Callable[[], None] | None) -> Iterator[memoryview]:
        for number in range(part_count(row.bytes)):
            if still is not None:
                still()
            with self._claims.part(row.id):
                with self._changes.store.read() as transaction:
                    there = transaction.assets.part(row.id, number)
                if there is None:
                    raise Damaged(f"asset {row.id}", f"nothing is known of its part {number}")
                data = self._vault.get(PartName(row.tenant, row.id, number), there.proof)
            yield data


def _served(transaction: Transaction, replica: str, adapters: Sequence[str]) -> list[AssetRow]:
    """The assets that a replica's engine loads: its weights, if they are one, and those adapters.
    Raises NotFound for one that no release of its deployment has."""
    state = transaction.state
    deployment = state.deployments().get(replica.rpartition("-")[0])
    model = None if deployment is None else state.models().get(deployment.model)
    if deployment is None or model is None:
        return []
    releases = state.releases().values()
    its = {one.adapter for one in releases if one.deployment == deployment.name}
    ids = ([] if model.asset is None else [model.asset]) + list(adapters)
    rows = {row.id: row for row in transaction.assets.some(ids)}
    for adapter in adapters:
        if adapter not in its or adapter not in rows:
            raise NotFound(f"adapter {adapter!r} of deployment {deployment.name!r}")
    return [rows[one] for one in ids if one in rows]


def _followed(state: StateTables, assets: AssetTables) -> Iterator[tuple[Model, Model | None]]:
    """Models that are not as their assets are, and as they should be: None for gone."""
    models = state.models()
    private = [model for model in models.values() if model.asset is not None]
    if not private:
        return
    rows = {row.id: row for row in assets.some([one.id for one in private])}
    tenants = state.tenants()
    for model in private:
        row = rows.get(model.id)
        if row is None or row.state is not AssetState.LIVE:
            yield model, None
            continue
        wanted = model_of_asset(row, tenants.get(row.tenant), model.licence)
        if wanted != model:
            yield model, wanted
