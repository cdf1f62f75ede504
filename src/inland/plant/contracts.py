"""Contracts: what tenants bought on deployments, sold against measured capacity and no further.

A contract's id is that of the record that sold it, which holds every term and what verdicts need
besides; so whoever has the id has the proof. Terms never change: a changed contract is another one.
"""

from dataclasses import asdict, dataclass, replace

from inland.decide.selling import Offer, Supply, capacity_of, least_objective_ms, offer
from inland.domain.contracts import TOKEN, Contract
from inland.domain.errors import BadInput, Conflict, InlandError, NotFound
from inland.domain.plant import Deployment
from inland.plant.changes import FACTORY_FILE, Change, Changes
from inland.plant.snapshots import profiles_in_force
from inland.plant.tenants import refuse_beyond
from inland.ports.state import StateTables

#: Field, least, most.
_BOUNDS = (
    ("tokens_per_second", 0, 10_000_000),
    ("ttft_ms", 1, 600_000),
    ("prompt_tokens", 1, 1_048_576),
    ("burst_tokens", 0, 1_000_000_000),
    ("weight", 1, 1000),
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A contract that factory.toml declares and that cannot be sold as things stand: `why`."""

    contract: Contract
    why: str


class Contracts:
    """The contracts of one factory."""

    def __init__(self, changes: Changes, most: int) -> None:
        """`most`: how many there may be in force."""
        self._changes = changes
        self._most = most
        self._declared: tuple[Contract, ...] = ()
        self._waiting: tuple[Waiting, ...] = ()
        self._tried = -1

    def all(self, tenant: str | None = None, *, ended: bool = False) -> list[Contract]:
        """Those in force, or all there ever were, of everybody or one tenant."""
        with self._changes.store.read() as transaction:
            found = transaction.state.contracts(ended=ended).values()
        return [one for one in found if tenant in {None, one.tenant}]

    def waiting(self, tenant: str | None = None) -> list[Waiting]:
        """What is declared and not in force, of everybody or of one tenant."""
        return [one for one in self._waiting if tenant in {None, one.contract.tenant}]

    def add(self, who: str, asked: Contract, *, instead: bool = False) -> Contract:
        """Sell a contract; `asked` has its terms. `instead`: of the one its tenant has there.

        Raises BadInput, NotFound, or Conflict: there is one, or capacity is sold or not measured.
        """
        with self._changes.change(who) as change:
            before = _between(change.state, asked.tenant, asked.deployment)
            if before is not None and not instead:
                why = f"{before.id} is in force: remove it first, or repeat with --replace"
                raise Conflict(_called(asked), why)
            _refuse_declared(before)
            return self._sell(change, asked, before)

    def remove(self, who: str, contract_id: str) -> Contract:
        """End a contract; one that has ended stays as it is. Raises NotFound, or Conflict."""
        with self._changes.change(who) as change:
            found = change.state.contracts(ended=True).get(contract_id)
            if found is None:
                raise NotFound(f"contract {contract_id!r}")
            if found.until_unix_s is not None:
                return found
            _refuse_declared(found)
            return end_contract(change, found)

    def declare(self, declared: tuple[Contract, ...]) -> None:
        """Make true what factory.toml says: what it no longer declares ends. Where the capacity is
        not there (yet), what was in force stays, and `settle` tries again."""
        self._declared = declared
        pairs = {(one.tenant, one.deployment) for one in declared}
        with self._changes.change(FACTORY_FILE) as change:
            for one in change.state.contracts().values():
                if one.declared and (one.tenant, one.deployment) not in pairs:
                    end_contract(change, one)
            self._settle(change)

    def settle(self) -> None:
        """Sell what is declared and waits, if anything changed since it was tried."""
        if not self._waiting:
            return
        with self._changes.store.read() as transaction:
            version = transaction.state.version()
        if version != self._tried:
            with self._changes.change(FACTORY_FILE) as change:
                self._settle(change)
            self._tried = version

    def _settle(self, change: Change) -> None:
        waiting = []
        for one in self._declared:
            before = _between(change.state, one.tenant, one.deployment)
            if before is not None and _terms(before) == _terms(one):
                continue
            try:
                self._sell(change, one, before)
            except InlandError as error:
                waiting.append(Waiting(one, str(error)))
        self._waiting = tuple(waiting)

    def _sell(self, change: Change, asked: Contract, before: Contract | None) -> Contract:
        """Put a contract in force, in the place of `before`; nothing is written where it raises."""
        there = change.state.contracts()
        if before is None:
            refuse_beyond(self._most, len(there), "contracts")
        deployment = _checked(change.state, asked)
        sold = [one for one in there.values() if one.deployment == deployment.name]
        figures = _figures(change.state, deployment, sold, asked)
        if before is not None:
            end_contract(change, before)
        asked = replace(asked, since_unix_s=change.unix_s, until_unix_s=None)
        terms = {**asdict(asked), "tier": asked.tier.value, **figures}
        for name in ("id", "until_unix_s"):
            del terms[name]
        contract_id = change.book("contract.add", _called(asked), **terms)
        contract = replace(asked, id=contract_id)
        change.state.put_contract(contract)
        return contract


def contracts_on(state: StateTables, deployment: str) -> list[Contract]:
    """The contracts in force on a deployment."""
    return [one for one in state.contracts().values() if one.deployment == deployment]


def refuse_short(state: StateTables, deployment: Deployment) -> None:
    """Raises Conflict where `deployment`, as it is to be, could not hold what was sold on it."""
    sold = [one for one in contracts_on(state, deployment.name) if one.tokens_per_second]
    profile = profiles_in_force(state).get(deployment.name)
    left = None
    if profile is not None:
        left = capacity_of(Supply(profile, deployment.replicas, deployment.slots), sold)
    reserved = sum(one.tokens_per_second for one in sold)
    if sold and (left.for_sale if left is not None else 0) < reserved:
        whose = ", ".join(f"{one.tenant}'s ({one.id})" for one in sold)
        can = "none is known" if left is None else f"{left.for_sale} would be for sale"
        why = f"{reserved} tokens/s are sold on it, and of {deployment.replicas} replicas {can}"
        raise Conflict(f"deployment {deployment.name!r}", f"{why}; end some of {whose} first")


def end_contract(change: Change, contract: Contract) -> Contract:
    """End a contract that is in force and book it."""
    ended = replace(contract, until_unix_s=change.unix_s)
    change.state.put_contract(ended)
    change.book(
        "contract.remove",
        contract.id,
        tenant=contract.tenant,
        deployment=contract.deployment,
        until_unix_s=change.unix_s,
    )
    return ended


def _between(state: StateTables, tenant: str, deployment: str) -> Contract | None:
    """The contract in force of a tenant on a deployment: there is never more than one."""
    for one in contracts_on(state, deployment):
        if one.tenant == tenant:
            return one
    return None


def _terms(contract: Contract) -> Contract:
    """What two contracts must share to be the same to both sides."""
    return replace(contract, id="", since_unix_s=0, until_unix_s=None)


def _called(contract: Contract) -> str:
    return f"{contract.tenant} on {contract.deployment}"


def _checked(state: StateTables, asked: Contract) -> Deployment:
    """The deployment that `asked` is about. Raises BadInput or NotFound."""
    for field, least, most in _BOUNDS:
        value = getattr(asked, field)
        if value is not None and not least <= value <= most:
            raise BadInput(field.replace("_", "-"), f"{value} is not between {least} and {most}")
    if asked.ttft_ms is not None and not asked.tokens_per_second:
        raise BadInput("ttft-ms", "it holds for reserved tokens: give tokens-per-second as well")
    if state.tenant(asked.tenant) is None:
        raise NotFound(f"tenant {asked.tenant!r}")
    deployment = state.deployments().get(asked.deployment)
    if deployment is None:
        raise NotFound(f"deployment {asked.deployment!r}")
    promises = asked.ttft_ms is not None
    if deployment.engine.is_ours and promises and asked.prompt_tokens >= deployment.context:
        why = f"{asked.prompt_tokens} tokens leave no room for an answer in {deployment.context}"
        raise BadInput("prompt-tokens", why)
    return deployment


def _figures(
    state: StateTables, deployment: Deployment, sold: list[Contract], asked: Contract
) -> dict[str, int]:
    """What the capacity it is sold against comes to, as its record says it. Raises Conflict."""
    if not asked.tokens_per_second:
        return {"prompt_ppm": 0, "stream_ppm": 0, "for_sale": 0, "sold": 0, "measured_unix_s": 0}
    profile = profiles_in_force(state).get(deployment.name)
    if profile is None:
        why = f"its capacity is not measured: inland deploy measure {deployment.name}"
        raise Conflict(f"deployment {deployment.name!r}", why)
    supply = Supply(profile, deployment.replicas, deployment.slots)
    offered = offer(supply, sold, asked)
    if not offered.fits:
        raise Conflict(_called(asked), _beyond(supply, sold, asked, offered))
    capacity = offered.capacity
    sequences = max(1, capacity.batch * deployment.replicas)
    return {
        "prompt_ppm": round(capacity.prompt_charge * TOKEN),
        "stream_ppm": capacity.for_sale * TOKEN // sequences,
        "for_sale": capacity.for_sale,
        "sold": capacity.sold,
        "measured_unix_s": profile.measured_unix_s,
    }


def _beyond(supply: Supply, sold: list[Contract], asked: Contract, offered: Offer) -> str:
    """Why it is not sold, with the numbers, and what would be."""
    capacity, strictest, floor_ms = offered.capacity, offered.strictest, offered.floor_ms
    if asked.ttft_ms is not None and asked.ttft_ms < floor_ms:
        why = f"a prompt of {asked.prompt_tokens} tokens has its first token after {floor_ms} ms"
        why += " even alone"
    else:
        others = capacity.sold - asked.tokens_per_second
        why = (
            f"{asked.tokens_per_second} tokens/s beside {others} sold are more than the "
            f"{capacity.for_sale} for sale ({capacity.tokens_per_second:.0f} measured at "
            f"{capacity.batch} at once, {supply.headroom_percent} % kept back)"
        )
    if strictest is not None and strictest.tenant != asked.tenant:
        why += f"; {strictest.tenant}'s {strictest.ttft_ms} ms choose how many run at once"
    return f"{why}; {_instead(supply, sold, asked)}"


def _instead(supply: Supply, sold: list[Contract], asked: Contract) -> str:
    """What there is of what was asked for."""
    least_ms = least_objective_ms(supply, sold, asked)
    if asked.ttft_ms is not None and least_ms is not None:
        return f"with a ttft of {least_ms} ms it is sold"
    free = offer(supply, sold, replace(asked, ttft_ms=None)).capacity
    left = max(0, free.for_sale - free.sold + asked.tokens_per_second)
    without = "" if asked.ttft_ms is None else " without a ttft of its own"
    return f"{left} tokens/s are left{without}; more replicas would add to them"


def _refuse_declared(found: Contract | None) -> None:
    if found is not None and found.declared:
        why = f"{FACTORY_FILE} declares it: change it there and start the factory again"
        raise Conflict(f"contract {found.id}", why)
