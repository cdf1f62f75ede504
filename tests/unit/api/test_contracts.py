"""Contracts over HTTP: operators write, everybody reads what is theirs."""

import json
from dataclasses import replace

import pytest

from inland.api import waiting
from inland.domain.contracts import Contract

PATH = "/factory/v1/contracts"
BODY = {"tenant": "acme", "deployment": "smollm2", "tokens_per_second": 0, "weight": 2}


def test_a_contract_is_sold_listed_and_ended(factory):
    operator = factory.as_("operator")
    made = operator.post(PATH, json=BODY)
    assert made.status_code == 201
    sold = made.json()
    assert operator.get(PATH).json() == [sold]
    assert operator.post(PATH, json=BODY).status_code == 409
    second = operator.post(PATH, json={**BODY, "weight": 3, "replace": True}).json()
    assert operator.get(PATH).json() == [second]
    assert operator.delete(f"{PATH}/{second['id']}").json()["until_unix_s"] is not None
    assert operator.get(PATH).json() == []
    ids = {one["id"] for one in operator.get(PATH, params={"ended": True}).json()}
    assert ids == {sold["id"], second["id"]}
    assert operator.delete(f"{PATH}/nope").status_code == 404


def test_what_is_not_measured_is_a_conflict_that_says_what_to_do(factory):
    got = factory.as_("operator").post(PATH, json={**BODY, "tokens_per_second": 10})
    assert got.status_code == 409
    assert "inland deploy measure smollm2" in got.json()["detail"]


@pytest.mark.parametrize("name", ["acme-admin", "acme-member"])
def test_a_tenant_reads_its_own_contracts_and_no_others(factory, name):
    operator = factory.as_("operator")
    ours = operator.post(PATH, json=BODY).json()
    theirs = operator.post(PATH, json={**BODY, "tenant": "demo"}).json()
    tenant = factory.as_(name)
    assert tenant.get(PATH).json() == [ours]
    assert tenant.get(PATH, params={"tenant": "demo"}).status_code == 404
    assert tenant.post(PATH, json=BODY).status_code == 403
    assert tenant.delete(f"{PATH}/{ours['id']}").status_code == 403
    assert {one["id"] for one in factory.as_("auditor").get(PATH).json()} == {
        ours["id"],
        theirs["id"],
    }


def test_what_waits_is_shown_and_why_to_the_staff_alone(factory):
    asked = Contract("", "acme", "smollm2", 10)
    factory.plant.contracts.declare((replace(asked, declared=True),))
    (shown,) = factory.as_("operator").get(PATH).json()
    assert (shown["id"], "measure" in shown["waits_for"]) == (None, True)
    (shown,) = factory.as_("acme-member").get(PATH).json()
    assert "measure" not in shown["waits_for"]
    assert factory.as_("demo-member").get(PATH).json() == []


def test_a_tenant_proves_its_own_contract_and_nobody_elses(factory, monkeypatch):
    monkeypatch.setattr(waiting, "WAIT_S", 0.0)
    theirs = "0197aaaa-bbbb-7ccc-8ddd-eeeeffff0009"
    for ref, what, tenant in (
        ("one", "contract.add", "acme"),
        ("two", "contract.remove", "acme"),
        (theirs, "contract.add", "demo"),
        ("four", "key.add", "acme"),
    ):
        record = {"what": what, "details": {"tenant": tenant}, "id": ref}
        factory.books.records[ref] = record
    member = factory.as_("acme-member")
    for ref, status in (("one", 200), ("two", 200), (theirs, 404), ("four", 404)):
        assert member.get(f"/factory/v1/receipts/{ref}").status_code == status, ref


def _kept(factory):
    """A contract of acme's that was met, breached and not exercised."""
    operator = factory.as_("operator")
    sold = operator.post(PATH, json=BODY).json()
    details = {
        **{name: sold[name] for name in ("tenant", "tokens_per_second", "ttft_ms")},
        **{name: sold[name] for name in ("prompt_tokens", "burst_tokens", "since_unix_s")},
        "prompt_ppm": 0,
        "stream_ppm": 0,
    }
    factory.books.records[sold["id"]] = {"what": "contract.add", "details": details}
    at_us = (sold["since_unix_s"] + 60) * 1_000_000
    request = {"kind": "request", "time": at_us, "deployment": "smollm2", "ttft_us": 1}
    failed = {**request, "time": at_us + 60_000_000, "outcome": "failed"}
    lines = [{**request, "outcome": "complete"}, failed]
    factory.books.lines["acme"] = [json.dumps(one).encode() for one in lines]
    factory.plant.clock.sleep(600)
    return sold


@pytest.mark.parametrize("name", ["operator", "auditor", "acme-admin", "acme-member"])
def test_a_report_says_what_was_kept_to_whom_it_concerns(factory, name):
    sold = _kept(factory)
    told = factory.as_(name).get(f"{PATH}/report", params={"month": "2027-01"}).json()
    (one,) = told["contracts"]
    assert one["contract"] == sold
    assert (one["met"], one["breached"], one["not_exercised"]) == (1, 1, 7)
    assert one["causes"] == {"over contract": 0, "capacity lost": 1, "engine slow": 0}
    assert [minute["cause"] for minute in one["minutes"]] == [None, "capacity lost"]
    page = factory.as_(name).get(f"{PATH}/report.html", params={"month": "2027-01"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert sold["id"] in page.text
    assert "50.00 % kept" in page.text


@pytest.mark.parametrize("kind", ["report", "report.html"])
def test_a_report_tells_nobody_of_others(factory, kind):
    _kept(factory)
    foreign = factory.as_("demo-member").get(f"{PATH}/{kind}")
    assert foreign.status_code == 200
    assert "acme" not in foreign.text
    asked = factory.as_("demo-admin").get(f"{PATH}/{kind}", params={"tenant": "acme"})
    assert asked.status_code == 404
    assert factory.as_("operator").get(f"{PATH}/{kind}?month=x").status_code == 400
