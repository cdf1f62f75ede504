"""Records of a stretch of time are found without reading all there are."""

import json

from inland.plant.books import shelves

BEGAN_S = 2_000_000_000


def _ids(world, since_s, until_s, tenant="acme"):
    found = world.books().between(tenant, since_s, until_s)
    return [json.loads(record)["n"] for record in found]


def _book(world, number, at_s, tenant="acme"):
    at_us = at_s * 1_000_000
    stamp = f"{at_us // 1000:012x}"
    record_id = f"{stamp[:8]}-{stamp[8:]}-7000-8000-{number:012x}"
    world.commit(tenant, n=number, id=record_id, time=at_us)
    world.tick()


def test_records_of_a_time_are_read_and_batches_long_before_and_after_are_not(world, monkeypatch):
    for number in range(6):
        _book(world, number, BEGAN_S + 1000 * number)
        _book(world, 10 + number, BEGAN_S + 1000 * number + 500, "demo")
    read = []
    real = shelves.batch_records

    def noted(files, batch):
        read.append(batch.number)
        return real(files, batch)

    monkeypatch.setattr(shelves, "batch_records", noted)
    assert _ids(world, BEGAN_S + 2000, BEGAN_S + 4000) == [2, 3, 4]
    assert read == [2, 3, 4]
    assert _ids(world, BEGAN_S + 2400, BEGAN_S + 2600, "demo") == [12]


def test_one_that_was_booked_late_is_found_by_when_it_came(world):
    _book(world, 1, BEGAN_S + 5000)
    _book(world, 2, BEGAN_S)
    _book(world, 3, BEGAN_S + 6000)
    assert _ids(world, BEGAN_S - 10, BEGAN_S + 10) == [2]


def test_of_a_time_without_records_there_are_none(world):
    _book(world, 1, BEGAN_S)
    assert _ids(world, BEGAN_S + 100, BEGAN_S + 200) == []
    assert _ids(world, 0, BEGAN_S + 100, "nobody") == []
    assert _ids(world, 0, 2**37) == [1]
