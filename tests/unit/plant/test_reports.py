"""Reports: a month from the records, of the contracts in force in it, by the terms as recorded."""

import json
from dataclasses import replace

import pytest

from inland.decide.verdicts import Cause
from inland.domain.errors import BadInput, Busy, Damaged
from inland.ledger import canonical
from inland.plant.reports import Reports
from inland.plant.turns import Turns
from tests.unit.plant.test_contracts import ASKED, _measured

#: The plant's clock begins at 1,800,001,000: 2027-01-15, 08:16:40 UTC.
BEGAN_S = 1_800_001_000
FULL_MINUTE_S = BEGAN_S // 60 * 60 + 60


class OnlyRecords:
    """Books that hold `lines` by tenant; contracts are found in the plant's log."""

    def __init__(self, plant):
        self.plant, self.lines, self.asked = plant, {}, []

    def between(self, tenant, since_unix_s, until_unix_s):
        self.asked.append((tenant, since_unix_s, until_unix_s))
        yield from (json.dumps(one).encode() for one in self.lines.get(tenant, ()))

    def locate(self, ref):
        with self.plant.store.read() as transaction:
            found = transaction.books.log_record(ref)
        return None if found is None else (None, canonical.decode(found.record))


@pytest.fixture
def books(plant):
    for tenant in ("acme", "demo"):
        plant.tenants.add("op", tenant)
    _measured(plant)
    return OnlyRecords(plant)


@pytest.fixture
def reports(plant, books):
    return Reports(plant.store, books, plant.clock, 660)


def _request(at_s, ttft_ms=100, deployment="smollm2", **facts):
    return {
        "kind": "request",
        "time": at_s * 1_000_000,
        "deployment": deployment,
        "outcome": "complete",
        "ttft_us": ttft_ms * 1000,
        "duration_us": 1_000_000,
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "cached_tokens": 0,
        **facts,
    }


def test_every_minute_of_a_contract_has_its_verdict(plant, books, reports):
    sold = plant.contracts.add("op", replace(ASKED, ttft_ms=900))
    books.lines["acme"] = [
        _request(BEGAN_S),  # in the minute it began in, which it was not whole in force
        _request(FULL_MINUTE_S),
        _request(FULL_MINUTE_S + 60, ttft_ms=901),
        _request(FULL_MINUTE_S + 120, deployment="other", ttft_ms=5000),
        _request(FULL_MINUTE_S + 180, ttft_ms=901, outcome="failed"),
    ]
    plant.clock.sleep(600)
    report = reports.month(None, None, None)
    assert report.month.name == "2027-01"
    (one,) = report.contracts
    assert one.contract == sold
    assert one.terms.prompt_ppm == 100_000
    found = {v.minute_unix_s: v.cause for v in one.verdicts}
    assert found == {
        FULL_MINUTE_S: None,
        FULL_MINUTE_S + 60: Cause.ENGINE_SLOW,
        FULL_MINUTE_S + 180: Cause.CAPACITY_LOST,
    }
    assert one.minutes == (BEGAN_S + 600 - FULL_MINUTE_S) // 60
    assert one.causes() == {None: 1, Cause.ENGINE_SLOW: 1, Cause.CAPACITY_LOST: 1}
    assert (report.as_of_unix_s, report.open_unix_s) == (BEGAN_S + 600, BEGAN_S - 60)


def test_one_tenants_records_are_read_once_for_all_its_contracts(plant, books, reports):
    first = plant.contracts.add("op", ASKED)
    plant.contracts.add("op", replace(ASKED, tenant="demo", tokens_per_second=10))
    plant.clock.sleep(3600)
    second = plant.contracts.add("op", replace(ASKED, weight=2), instead=True)
    plant.clock.sleep(3600)
    report = reports.month("2027-01", None, None)
    assert {one.contract.id for one in report.contracts} > {first.id, second.id}
    assert sum(one.minutes for one in report.contracts) == 119 + 2 * 59
    assert [tenant for tenant, *_ in books.asked] == ["acme", "demo"]
    only = reports.month("2027-01", "demo", "smollm2")
    assert [one.contract.tenant for one in only.contracts] == ["demo"]
    assert reports.month("2027-01", "acme", "other").contracts == []
    assert reports.month("2026-12", None, None).contracts == []


def test_a_month_reads_a_day_further_back_than_it_begins(plant, books, reports):
    plant.contracts.add("op", ASKED)
    report = reports.month("2027-01", None, None)
    since_s, until_s = report.month.since_unix_s, report.month.until_unix_s
    assert books.asked == [("acme", since_s - 86_400, until_s)]
    assert until_s - since_s == 31 * 86_400


@pytest.mark.parametrize("name", ["", "2027", "2027-13", "2027-1", "1969-12", "x", "2027-01-01"])
def test_what_is_no_month_is_refused(reports, name):
    with pytest.raises(BadInput, match="month"):
        reports.month(name, None, None)


def test_one_report_is_made_at_a_time(plant, books, reports):
    plant.contracts.add("op", ASKED)
    reports._turns = Turns("other reports", wait_s=0.01)
    with reports._turns.turn(), pytest.raises(Busy):
        reports.month(None, None, None)
    reports.month(None, None, None)


@pytest.mark.parametrize("line", [b"{", b'{"kind":"change","time":1}'])
def test_what_cannot_be_read_is_damage_and_no_verdict(plant, books, reports, line, monkeypatch):
    plant.contracts.add("op", ASKED)
    monkeypatch.setattr(books, "between", lambda *_: iter([line]))
    with pytest.raises(Damaged):
        reports.month(None, None, None)
    with reports._turns.turn():
        pass  # it was given back
