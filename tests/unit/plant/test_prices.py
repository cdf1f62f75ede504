"""Prices are set for what is to come; what was billed is never billed otherwise."""

import pytest

from inland.domain.budgets import DAY_S
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.plant.prices import AHEAD, NOTICE_S, PriceList

MICROS = (150_000, 37_500, 600_000)


def now_s(plant):
    return plant.clock.unix_us() // 1_000_000


def test_a_first_price_holds_from_the_midnight_before(plant):
    price = plant.prices.set("op", "smollm2", MICROS, "EUR")
    assert price.since_unix_s == now_s(plant) - now_s(plant) % DAY_S
    assert plant.prices.all() == {"smollm2": (price,)}
    assert plant.feed.waited, "it returned before every gateway knew"
    assert plant.records()[-1]["what"] == "price.set"
    assert plant.records()[-1]["details"]["completion_micros"] == MICROS[2]


def test_a_first_price_may_begin_in_the_past_where_a_day_does(plant):
    midnight = now_s(plant) - now_s(plant) % DAY_S - 3 * DAY_S
    for wrong in (midnight + 1, now_s(plant) - 1, now_s(plant)):
        with pytest.raises(BadInput, match="midnight"):
            plant.prices.set("op", "smollm2", MICROS, "EUR", wrong)
    assert plant.prices.set("op", "smollm2", MICROS, "EUR", midnight).since_unix_s == midnight


def test_a_past_that_had_a_price_keeps_it(plant):
    first = plant.prices.set("op", "smollm2", MICROS, "EUR")
    for wrong in (first.since_unix_s, first.since_unix_s - DAY_S, now_s(plant), now_s(plant) + 1):
        with pytest.raises(BadInput, match="never in the past"):
            plant.prices.set("op", "smollm2", MICROS, "USD", wrong)
    assert plant.prices.all() == {"smollm2": (first,)}
    second = plant.prices.set("op", "smollm2", (1, 1, 1), "EUR")
    assert now_s(plant) + NOTICE_S <= second.since_unix_s <= now_s(plant) + NOTICE_S + 1
    assert plant.prices.all() == {"smollm2": (first, second)}


def test_a_price_that_has_not_begun_can_be_replaced_and_others_go_between(plant):
    first = plant.prices.set("op", "smollm2", MICROS, "EUR")
    at = now_s(plant) + DAY_S
    plant.prices.set("op", "smollm2", (1, 1, 1), "EUR", at)
    later = plant.prices.set("op", "smollm2", (2, 2, 2), "EUR", at)
    between = plant.prices.set("op", "smollm2", (3, 3, 3), "EUR", at - 60)
    assert plant.prices.all() == {"smollm2": (first, between, later)}


def test_what_cannot_be_priced_is_refused_whole(plant):
    with pytest.raises(NotFound):
        plant.prices.set("op", "nothing", MICROS, "EUR")
    with pytest.raises(BadInput, match="currency"):
        plant.prices.set("op", "smollm2", MICROS, "EURO")
    with pytest.raises(BadInput, match="price"):
        plant.prices.set("op", "smollm2", (-1, 0, 0), "EUR")
    assert plant.prices.all() == {}


def test_prices_are_bounded(plant):
    plant.prices.set("op", "smollm2", MICROS, "EUR")
    for ahead in range(AHEAD):
        plant.prices.set("op", "smollm2", MICROS, "EUR", now_s(plant) + 100 + ahead)
    with pytest.raises(BadInput, match="set ahead"):
        plant.prices.set("op", "smollm2", MICROS, "EUR", now_s(plant) + 1000)
    with pytest.raises(Conflict, match=r"limits\.prices"):
        PriceList(plant.changes, 3).set("op", "smollm2", MICROS, "EUR", now_s(plant) + 1000)
