"""What control lets gateways spend of hard budgets: `decide/allowances.py` over the books.

Nothing of it is stored. A control that starts gives nothing before every gateway that may still
spend has said what it holds; one that died counts as having spent all it held until its journal is
sealed and booked.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from threading import Lock

from inland.decide.allowances import Account
from inland.domain.allowances import Allowance, Claim
from inland.domain.budgets import DAY_S, Budget, Period
from inland.domain.pricing import Prices
from inland.plant.spending import limit_of, spent
from inland.ports.billing import Spending
from inland.ports.clock import Clock
from inland.ports.store import Store

#: For how long what is over is still given, in seconds: requests are of the time they came.
LATE_S = 60
_Name = tuple[str, int]


@dataclass(slots=True)
class _Teller:
    """A writer that told what it holds: the number of its last ask, and in which turn of ours."""

    ask: int
    turn: int


class Allowances:
    """`step` belongs to one thread; `answer` may come from another, and waits for nothing."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        unsettled: Callable[[], AbstractSet[str]],
        damaged: Callable[[], AbstractSet[str]],
    ) -> None:
        """`unsettled`: writers that live or left something unbooked; `damaged`: those of them that
        are not booked on, for what lies behind damage is billed to nobody."""
        self._store = store
        self._clock = clock
        self._unsettled = unsettled
        self._damaged = damaged
        self._lock = Lock()
        self._accounts: dict[_Name, Account] = {}
        self._tellers: dict[str, _Teller] = {}
        self._unheard: AbstractSet[str] = frozenset({""})  # nobody was looked for yet
        self._turn = 0
        self._read: tuple[int, ...] = ()
        self._looked: tuple[int, ...] = ()

    def step(self) -> None:
        """Take in the books as they are now. First who may still spend, then what was spent: of
        whom is not among those, all that there will be is booked."""
        with self._lock:
            self._turn += 1
            turn = self._turn
        unsettled = self._unsettled()
        fresh = self._fresh_accounts()
        with self._lock:
            over = [
                writer
                for writer, told in self._tellers.items()
                if writer not in unsettled and told.turn < turn
            ]
            for writer in over:
                del self._tellers[writer]
            for name, account in fresh.items():
                before = self._accounts.get(name, account)
                account.held = {w: held for w, held in before.held.items() if w not in over}
            self._accounts = fresh
            self._unheard = unsettled - self._tellers.keys() - self._damaged()

    def _fresh_accounts(self) -> dict[_Name, Account]:
        now_s = self._clock.unix_us() // 1_000_000
        days = (now_s // DAY_S, (now_s - LATE_S) // DAY_S)
        looked = (self._store.written(), *days)
        if looked == self._looked:
            return self._accounts
        with self._store.read() as transaction:
            billing, books = transaction.billing, transaction.books
            read = (transaction.state.version(), books.next_tenant_batch(), *days)
            if read == self._read:
                self._looked = looked
                return self._accounts
            budgets = [one for one in billing.budgets().values() if one.hard]
            since = min((one.period.began(now_s - LATE_S) for one in budgets), default=now_s)
            prices = billing.prices()
            rows: dict[str, list[Spending]] = {}
            for row in billing.spending(None, since) if budgets else ():
                rows.setdefault(row.tenant, []).append(row)
        accounts = {}
        for budget in budgets:
            held = rows.get(budget.tenant, [])
            for at_s in (now_s - LATE_S, now_s):
                name = (budget.id, budget.period.began(at_s))
                accounts[name] = _account(budget, at_s, held, prices)
        self._read, self._looked = read, looked
        return accounts

    def answer(self, writer: str, ask: int, claims: Sequence[Claim]) -> list[Allowance]:
        """What a gateway may hold, by its ask number `ask` with all its claims."""
        with self._lock:
            told = self._tellers.get(writer)
            if told is not None and ask <= told.ask:
                return []  # of a connection that is no more
            self._tellers[writer] = _Teller(ask, self._turn)
            self._unheard -= {writer}
            sure, gateways = not self._unheard, len(self._tellers)
            return [self._answer(writer, one, gateways, sure=sure) for one in claims]

    def _answer(self, writer: str, claim: Claim, gateways: int, *, sure: bool) -> Allowance:
        account = self._accounts.get((claim.budget, claim.period_unix_s))
        if account is None:
            return Allowance(claim.budget, claim.period_unix_s, claim.held, sure=False)
        return account.answer(writer, claim, gateways, sure=sure)


def _account(budget: Budget, at_s: int, rows: list[Spending], prices: Prices) -> Account:
    period: Period = budget.period
    booked = spent(budget, period.began(at_s), period.ends(at_s), rows, prices)
    return Account(limit_of(budget), booked)
