"""The tables behind prices and budgets, and what was spent: a projection over billed records."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from inland.domain.budgets import Budget
from inland.domain.pricing import Price, Prices, Tokens


@dataclass(frozen=True, slots=True)
class Spending:
    """Billed tokens of one key on one deployment in one day (`day_unix_s`, its start, by the
    records' own time), written by one life of a gateway.

    `price_unix_s`: when the price in force had begun; 0 where none was known at booking. `writer`
    is empty for what was booked before writers were told apart.
    """

    day_unix_s: int
    tenant: str
    key: str
    deployment: str
    writer: str
    price_unix_s: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int

    @property
    def tokens(self) -> Tokens:
        return Tokens(self.prompt_tokens, self.cached_tokens, self.completion_tokens)


class BillingTables(Protocol):
    """One transaction's view. Prices are never removed, for the past was billed by them."""

    def prices(self) -> Prices: ...

    def put_price(self, price: Price) -> None:
        """Insert it, or replace the one of its deployment that begins when it does."""
        ...

    def budgets(self) -> dict[str, Budget]:
        """By id."""
        ...

    def put_budget(self, budget: Budget) -> None: ...
    def remove_budget(self, budget: str) -> None: ...

    def keep_invoice(self, tenant: str, month: str, invoice: dict[str, Any]) -> None:
        """One that can be made from records no more; the first that is kept stays."""
        ...

    def kept_invoice(self, tenant: str, month: str) -> dict[str, Any] | None: ...

    def add_spending(self, rows: Sequence[Spending]) -> None:
        """Add to what the rows with the same names hold."""
        ...

    def spending(self, tenant: str | None, since_unix_s: int) -> Iterator[Spending]:
        """Days that begin at `since_unix_s` or later, of one tenant or of all."""
        ...
