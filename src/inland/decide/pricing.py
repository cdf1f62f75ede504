"""What tokens cost: which price holds, the exact sum, and the lines of an invoice. Pure, integers.

Rounding happens in one place, once per line (a deployment, one of its prices, a kind of token): the
exact sum in picos to the nearest minor unit, a half to the even one. A line is what a customer can
recompute; half to even leans to neither side over many lines. A total is the sum of its lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from inland.domain.currencies import minor_from_picos
from inland.domain.pricing import Price, Prices, TokenKind, Tokens

_US = 1_000_000


def price_at(prices: Sequence[Price], unix_us: int) -> Price | None:
    """The price in force at a moment; `prices`: one deployment's, the earliest first."""
    for price in reversed(prices):
        if price.since_unix_s * _US <= unix_us:
            return price
    return None


def price_since(prices: Sequence[Price], since_unix_s: int) -> Price | None:
    """The price that began at that moment."""
    return next((one for one in prices if one.since_unix_s == since_unix_s), None)


def picos(price: Price, tokens: Tokens) -> int:
    """The exact cost of tokens."""
    return (
        (tokens.prompt - tokens.cached) * price.prompt_micros
        + tokens.cached * price.cached_micros
        + tokens.completion * price.completion_micros
    )


def most_picos(price: Price, prompt: int, completion: int) -> int:
    """The most that tokens may come to, however many of the prompt's are cached."""
    dearer = max(price.prompt_micros, price.cached_micros)
    return prompt * dearer + completion * price.completion_micros


@dataclass(frozen=True, slots=True)
class Line:
    """`records` whose tokens of one kind came to `tokens` under one price (None: there was none).

    `until_unix_s`: when the deployment's next price begins. `minor`: of the price's currency.
    """

    deployment: str
    kind: TokenKind
    tokens: int
    records: int
    price: Price | None
    until_unix_s: int | None
    minor: int


@dataclass(slots=True)
class _Sum:
    counts: list[int] = field(default_factory=lambda: [0, 0, 0])
    records: list[int] = field(default_factory=lambda: [0, 0, 0])


class Bill:
    """The lines that billed records come to, whatever order they come in."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._sums: dict[tuple[str, Price | None], _Sum] = {}

    def add(self, deployment: str, unix_us: int, tokens: Tokens) -> None:
        """Take one billed record, by its own time."""
        price = price_at(self._prices.get(deployment, ()), unix_us)
        entry = self._sums.setdefault((deployment, price), _Sum())
        for at, kind in enumerate(TokenKind):
            count = tokens.of(kind)
            entry.counts[at] += count
            entry.records[at] += count > 0

    def lines(self) -> list[Line]:
        """By deployment, price and kind; a kind of which there was no token has no line."""
        ordered = sorted(self._sums.items(), key=lambda item: _order(*item[0]))
        return [
            self._line(deployment, price, kind, entry.counts[at], entry.records[at])
            for (deployment, price), entry in ordered
            for at, kind in enumerate(TokenKind)
            if entry.counts[at]
        ]

    def _line(
        self, deployment: str, price: Price | None, kind: TokenKind, tokens: int, records: int
    ) -> Line:
        later = [
            one.since_unix_s
            for one in self._prices.get(deployment, ())
            if price is None or one.since_unix_s > price.since_unix_s
        ]
        until = min(later, default=None)
        minor = 0
        if price is not None:
            minor = minor_from_picos(tokens * price.micros(kind), price.currency)
        return Line(deployment, kind, tokens, records, price, until, minor)


def _order(deployment: str, price: Price | None) -> tuple[str, int]:
    return deployment, -1 if price is None else price.since_unix_s


def totals(lines: Sequence[Line]) -> dict[str, int]:
    """Minor units by currency: the sum of the lines as they were rounded."""
    sums: dict[str, int] = {}
    for line in lines:
        if line.price is not None:
            sums[line.price.currency] = sums.get(line.price.currency, 0) + line.minor
    return dict(sorted(sums.items()))
