"""Prices: which one holds, what is exact, where it is rounded; an independent sum agrees."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.decide.pricing import Bill, most_picos, picos, price_at, totals
from inland.domain.currencies import (
    CURRENCIES,
    micros_of,
    minor_from_picos,
    minor_of,
    shown,
    shown_micros,
)
from inland.domain.errors import BadInput
from inland.domain.pricing import Price, TokenKind, Tokens

_MICROS = st.integers(0, 10**10)
_CODES = st.sampled_from(["EUR", "JPY", "KWD", "CLF"])


@st.composite
def _prices(draw):
    """Deployments with up to three prices each, in any currencies."""
    found = {}
    for name in draw(st.lists(st.sampled_from("abc"), unique=True)):
        starts = draw(st.lists(st.integers(0, 40), unique=True, min_size=1, max_size=3))
        found[name] = tuple(
            Price(name, since, draw(_CODES), draw(_MICROS), draw(_MICROS), draw(_MICROS))
            for since in sorted(starts)
        )
    return found


_TOKENS = st.builds(
    lambda prompt, cached, completion: Tokens(prompt, min(prompt, cached), completion),
    *[st.integers(0, 10**6)] * 3,
)
_RECORDS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50 * 10**6), _TOKENS))


@given(_prices(), _RECORDS)
def test_the_lines_are_what_an_independent_sum_in_decimals_gives(prices, records):
    bill = Bill(prices)
    sums: dict = {}
    for deployment, unix_us, tokens in records:
        bill.add(deployment, unix_us, tokens)
        begun = [p for p in prices.get(deployment, ()) if p.since_unix_s * 10**6 <= unix_us]
        price = max(begun, key=lambda p: p.since_unix_s, default=None)
        for kind, count in zip(
            TokenKind, (tokens[0] - tokens[1], tokens[1], tokens[2]), strict=True
        ):
            at = (deployment, price, kind)
            sums[at] = sums.get(at, 0) + count
    expected = {}
    for (deployment, price, kind), count in sums.items():
        if not count:
            continue
        minor = 0
        if price is not None:
            each = Decimal(getattr(price, f"{kind.value}_micros")) / 10**6
            exact = each * count / 10**6
            unit = Decimal(1).scaleb(-CURRENCIES[price.currency])
            minor = int(exact.quantize(unit, ROUND_HALF_EVEN).scaleb(CURRENCIES[price.currency]))
        expected[deployment, price, kind] = (count, minor)
    lines = bill.lines()
    assert {(x.deployment, x.price, x.kind): (x.tokens, x.minor) for x in lines} == expected
    for currency, total in totals(lines).items():
        assert total == sum(
            minor for (_, p, _), (_, minor) in expected.items() if p and p.currency == currency
        )


@given(_prices(), _RECORDS, st.randoms())
def test_the_order_of_records_changes_nothing(prices, records, dice):
    one, two = Bill(prices), Bill(prices)
    for record in records:
        one.add(*record)
    dice.shuffle(records)
    for record in records:
        two.add(*record)
    assert one.lines() == two.lines()


@given(_MICROS, _MICROS, _MICROS, _TOKENS)
def test_nothing_costs_more_than_the_most_it_may(prompt, cached, completion, tokens):
    price = Price("a", 0, "EUR", prompt, cached, completion)
    assert picos(price, tokens) <= most_picos(price, tokens.prompt, tokens.completion)


def test_a_price_holds_from_its_very_second_until_the_next_begins():
    first, second = (Price("a", since, "EUR", 1, 1, 1) for since in (10, 20))
    prices = (first, second)
    assert price_at(prices, 9_999_999) is None
    assert price_at(prices, 10_000_000) is first
    assert price_at(prices, 19_999_999) is first
    assert price_at(prices, 20_000_000) is second


@pytest.mark.parametrize(
    ("picos_", "currency", "minor"),
    [
        (5 * 10**9, "EUR", 0),  # half a cent: to the even one
        (15 * 10**9, "EUR", 2),
        (5 * 10**9 + 1, "EUR", 1),
        (5 * 10**11, "JPY", 0),
        (15 * 10**11, "JPY", 2),
        (10**9, "KWD", 1),
    ],
)
def test_rounding_is_to_the_smallest_unit_that_is_paid_and_halves_go_to_the_even(
    picos_, currency, minor
):
    assert minor_from_picos(picos_, currency) == minor


@given(st.sampled_from(sorted(CURRENCIES)), st.integers(0, 10**12))
def test_an_amount_that_is_shown_reads_back(currency, minor):
    assert minor_of(shown(minor, currency), currency, "money") == minor or minor > 10**12
    assert micros_of(shown_micros(minor), "price") == minor


@pytest.mark.parametrize("text", ["", "-1", "1e3", "NaN", "1,5", "1.2.3", "٣", "1_0", "9" * 14])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(BadInput):
        minor_of(text, "EUR", "money")


def test_an_amount_finer_than_is_paid_is_refused():
    assert minor_of("1", "JPY", "money") == 1
    with pytest.raises(BadInput, match="finer"):
        minor_of("1.5", "JPY", "money")
    with pytest.raises(BadInput, match="ISO 4217"):
        minor_of("1", "XXX", "money")
