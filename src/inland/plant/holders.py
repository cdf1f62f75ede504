"""Who may hold plaintext of assets: engines of models that lie in the vault, and jobs.

What each holds is decided anew whenever anything may have changed (a label, a share, a policy, keys
withdrawn, an erase): whoever may not hold it any more is ended, and its memory goes with it.
"""

from collections.abc import Iterator, Mapping, Sequence
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
from inland.plant.models import model_of_asset
from inland.ports.assets import AssetRow, AssetTables
from inland.ports.plaintext import Memory, Plaintext
from inland.ports.runner import Runner
from inland.ports.state import StateTables
from inland.ports.store import Transaction
from inland.ports.vault import PartName, Vault


class Working(Protocol):
    """Those who hold plaintext besides engines."""

    def end_those_denied(self) -> None:
        """Those that may not hold what they hold are gone when it returns."""
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

    def know(self, working: Working) -> None:
        """From now on they are ended with the rest."""
        self._others.append(working)

    def opened(self, rows: Sequence[AssetRow]) -> list[Plaintext]:
        """Memory files of them, in that order. Raises what the vault does, and Busy for want of
        memory; then there is none."""
        files: list[Plaintext] = []
        try:
            files.extend(self._memory.hold(row.bytes, self._content(row)) for row in rows)
        except BaseException:
            for file in files:
                file.close()
            raise
        return files

    def weights(self, process: str, pid: int) -> Plaintext:
        """What an engine that starts is to load, decided now. Raises NotFound, Denied, Busy, and
        what the vault does."""
        replica = next(
            (
                one.replica
                for one in self._runner.processes()
                if (one.name, one.pid) == (process, pid)
            ),
            None,
        )
        with self._changes.store.read() as transaction:
            row = _served(transaction, replica or "")
        if row is None:
            raise NotFound(f"model for process {process!r}")
        self._rulings.demand_for(row.tenant, Action.SERVE, row)
        (file,) = self.opened([row])
        return file

    def vetted(self, asset: str) -> Model:
        """The model whose weights an asset is, decided for its owner and inspected by a child.

        Raises NotFound, BadInput for what is no clean GGUF, Denied, Busy, and what the vault does.
        """
        with self._changes.store.read() as transaction:
            known = transaction.state.models().get(asset)
            row = transaction.assets.asset(asset)
            tenant = None if row is None else transaction.state.tenant(row.tenant)
        if row is None or row.state is not AssetState.LIVE:
            raise unknown(asset)
        if row.kind is not AssetKind.MODEL:
            raise BadInput("model", f"asset {asset} is of kind {row.kind.value}, and no model")
        self._rulings.demand_for(row.tenant, Action.SERVE, row)
        if known is not None:
            return known
        (file,) = self.opened([row])
        try:
            clean = self._memory.inspect(file)
        finally:
            file.close()
        if clean.kind != "gguf":
            raise BadInput("model", f"asset {asset} is {clean.kind}; llama.cpp takes GGUF alone")
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
        with self._lock:
            engines = self._engines(self.held_back())  # of erased ones, while they are known
            self._follow()
        if not engines:
            self._end_others()
            return
        with ThreadPoolExecutor(1, "engines") as beside:  # each kind takes its time
            ended = beside.submit(self._runner.end, engines)
            self._end_others()
        ended.result()

    def _end_others(self) -> None:
        for one in self._others:
            one.end_those_denied()

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
                change.state.remove_model(model.id)
                change.book("model.remove", model.id, owner=model.label.owner)

    def _content(self, row: AssetRow) -> Iterator[memoryview]:
        for number in range(part_count(row.bytes)):
            with self._claims.part(row.id):
                with self._changes.store.read() as transaction:
                    there = transaction.assets.part(row.id, number)
                if there is None:
                    raise Damaged(f"asset {row.id}", f"nothing is known of its part {number}")
                data = self._vault.get(PartName(row.tenant, row.id, number), there.proof)
            yield data


def _served(transaction: Transaction, replica: str) -> AssetRow | None:
    """The asset that a replica's engine loads, if that is one."""
    deployment = transaction.state.deployments().get(replica.rpartition("-")[0])
    model = None if deployment is None else transaction.state.models().get(deployment.model)
    if model is None or model.asset is None:
        return None
    return transaction.assets.asset(model.asset)


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
