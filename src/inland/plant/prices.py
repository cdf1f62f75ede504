"""Prices: set from a moment on, never for a past that had one; nothing billed ever changes."""

from dataclasses import asdict

from inland.domain.budgets import DAY_S
from inland.domain.currencies import digits_of
from inland.domain.errors import BadInput, NotFound
from inland.domain.pricing import Price, Prices
from inland.plant.changes import Change, Changes
from inland.plant.snapshots import PRICES_TOLD
from inland.plant.tenants import refuse_beyond

#: How long before it begins a price must be set, in seconds: longer than a lease, so that every
#: gateway that serves has heard of it.
NOTICE_S = 6
#: The most a million tokens may cost, in micros; and how many prices may be set ahead of time.
MOST_MICROS = 10**15
AHEAD = PRICES_TOLD - 1


class PriceList:
    """The prices of one factory."""

    def __init__(self, changes: Changes, most: int) -> None:
        """`most`: prices there may be, past ones included."""
        self._changes = changes
        self._most = most

    def all(self) -> Prices:
        """Every price there ever was, by deployment."""
        with self._changes.store.read() as transaction:
            return transaction.billing.prices()

    def set(
        self,
        who: str,
        deployment: str,
        micros: tuple[int, int, int],
        currency: str,
        since_unix_s: int | None = None,
    ) -> Price:
        """`micros`: for prompt, cached and completion tokens, by the million. Returns when every
        gateway knows.

        Without `since_unix_s` a first price holds from the midnight (UTC) before, a change from
        `NOTICE_S` on. Raises BadInput for a past that had a price, NotFound for the deployment.
        """
        digits_of(currency)
        if not all(0 <= one <= MOST_MICROS for one in micros):
            raise BadInput("price", f"it is between 0 and {MOST_MICROS} micros")
        with self._changes.change(who) as change:
            since = self._since(change, deployment, since_unix_s)
            price = Price(deployment, since, currency, *micros)
            change.billing.put_price(price)
            change.book("price.set", deployment, **_details(price))
        self._changes.wait_in_force(change.version)
        return price

    def _since(self, change: Change, deployment: str, asked: int | None) -> int:
        prices = change.billing.prices()
        if deployment not in change.state.deployments() and deployment not in prices:
            raise NotFound(f"deployment {deployment!r}")
        refuse_beyond(self._most, sum(map(len, prices.values())), "prices")
        now_s = -(-self._changes.clock.unix_us() // 1_000_000)
        before = prices.get(deployment, ())
        soonest = now_s + NOTICE_S
        if not before:
            return _first(now_s, asked, soonest)
        since = soonest if asked is None else asked
        if since < soonest:
            why = f"{deployment} has a price: another begins {NOTICE_S} s from now at the earliest"
            raise BadInput("from", f"{why}, never in the past")
        ahead = [one for one in before if one.since_unix_s > now_s and one.since_unix_s != since]
        if len(ahead) >= AHEAD:
            raise BadInput("from", f"{len(ahead)} prices of {deployment} are set ahead already")
        return since


def _first(now_s: int, asked: int | None, soonest: int) -> int:
    """A first price may begin in the past, where a day does: days are what was summed up."""
    today = now_s - now_s % DAY_S
    since = today if asked is None else asked
    if 0 <= since <= today and since % DAY_S == 0:
        return since
    if since < soonest:
        why = "a first price begins at a midnight (UTC) that was, or"
        raise BadInput("from", f"{why} {NOTICE_S} s from now at the earliest")
    return since


def _details(price: Price) -> dict[str, object]:
    details = asdict(price)
    del details["deployment"]
    return details
