"""What a budget's period came to by the books: in tokens, or in picos of its currency."""

from collections.abc import Iterable

from inland.decide.pricing import picos, price_since
from inland.domain.budgets import TOKENS, Budget
from inland.domain.currencies import picos_of_minor
from inland.domain.pricing import Price, Prices
from inland.ports.billing import Spending


def limit_of(budget: Budget) -> int:
    """The limit in the amounts that spending is summed in."""
    return budget.limit if budget.unit == TOKENS else picos_of_minor(budget.limit, budget.unit)


def spent(
    budget: Budget, began: int, ends: int, rows: Iterable[Spending], prices: Prices
) -> dict[str, int]:
    """By writer. `rows`: the tenant's, others are passed over."""
    sums: dict[str, int] = {}
    for row in rows:
        inside = began <= row.day_unix_s < ends
        if inside and row.tenant == budget.tenant and budget.key in {None, row.key}:
            sums[row.writer] = sums.get(row.writer, 0) + _amount(budget.unit, row, prices)
    return sums


def _amount(unit: str, row: Spending, prices: Prices) -> int:
    if unit == TOKENS:
        return row.prompt_tokens + row.completion_tokens
    price = _price(row, prices.get(row.deployment, ()))
    return picos(price, row.tokens) if price is not None and price.currency == unit else 0


def _price(row: Spending, prices: tuple[Price, ...]) -> Price | None:
    """What was booked before the first price was set is priced by that from its midnight on."""
    if row.price_unix_s:
        return price_since(prices, row.price_unix_s)
    return prices[0] if prices and prices[0].since_unix_s <= row.day_unix_s else None
