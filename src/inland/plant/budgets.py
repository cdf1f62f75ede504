"""Budgets: set, listed with what was used of them, removed. One a tenant, key, unit and period."""

from dataclasses import asdict, dataclass
from enum import StrEnum

from inland.domain.budgets import TOKENS, Budget, Period
from inland.domain.currencies import digits_of
from inland.domain.errors import BadInput, NotFound
from inland.plant.changes import Changes
from inland.plant.spending import limit_of, spent
from inland.plant.tenants import refuse_beyond
from inland.ports.state import StateTables

#: The most tokens, or minor units, a budget can have.
MOST = 10**15


class Standing(StrEnum):
    """How a budget stands: `WARNED` from its soft percentage on, `SPENT` from its limit on."""

    OK = "ok"
    WARNED = "warned"
    SPENT = "spent"


@dataclass(frozen=True, slots=True)
class Used:
    """A budget in the period that runs. `used` and `limit`: tokens, or picos of its currency."""

    budget: Budget
    began_unix_s: int
    ends_unix_s: int
    used: int
    limit: int

    @property
    def standing(self) -> Standing:
        if self.used >= self.limit:
            return Standing.SPENT
        soft = self.budget.soft_percent
        return Standing.WARNED if self.used * 100 >= self.limit * soft else Standing.OK


class Budgets:
    """The budgets of one factory."""

    def __init__(self, changes: Changes, most: int) -> None:
        """`most`: how many there may be."""
        self._changes = changes
        self._most = most

    def all(self, tenant: str | None = None) -> list[Used]:
        """Every budget, or one tenant's, as the books have it now."""
        now_s = self._changes.clock.unix_us() // 1_000_000
        since = Period.MONTH.began(now_s)
        with self._changes.store.read() as transaction:
            billing = transaction.billing
            budgets = [one for one in billing.budgets().values() if tenant in {None, one.tenant}]
            rows = list(billing.spending(tenant, since)) if budgets else []
            prices = billing.prices()
        found = []
        for one in budgets:
            began, ends = one.period.began(now_s), one.period.ends(now_s)
            used = sum(spent(one, began, ends, rows, prices).values())
            found.append(Used(one, began, ends, used, limit_of(one)))
        return found

    def set(self, who: str, budget: Budget) -> Budget:
        """A new budget, or the one with its names anew; returns when every gateway has it.

        Raises BadInput, and NotFound for a tenant or a key that is not the tenant's.
        """
        if budget.unit != TOKENS:
            digits_of(budget.unit)
        if not 0 <= budget.limit <= MOST:
            raise BadInput("limit", f"a budget is between 0 and {MOST:,}")
        if not 1 <= budget.soft_percent <= 100:
            raise BadInput("soft", "it is a percentage of the budget, 1 to 100")
        with self._changes.change(who) as change:
            _check_names(change.state, budget)
            there = change.billing.budgets()
            if budget.id not in there:
                refuse_beyond(self._most, len(there), "budgets")
            change.billing.put_budget(budget)
            change.book("budget.set", budget.id, **asdict(budget))
        self._changes.wait_in_force(change.version)
        return budget

    def remove(self, who: str, budget: str) -> None:
        """Hold it no more; returns when no gateway holds anything of it. Raises NotFound."""
        with self._changes.change(who) as change:
            if budget not in change.billing.budgets():
                raise NotFound(f"budget {budget!r}")
            change.billing.remove_budget(budget)
            change.book("budget.remove", budget)
        self._changes.wait_in_force(change.version)


def _check_names(state: StateTables, budget: Budget) -> None:
    if state.tenant(budget.tenant) is None:
        raise NotFound(f"tenant {budget.tenant!r}")
    if budget.key is not None:
        key = state.key(budget.key)
        if key is None or key.tenant != budget.tenant:
            raise NotFound(f"key {budget.key!r} of {budget.tenant}")
