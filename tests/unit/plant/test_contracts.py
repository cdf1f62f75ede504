"""Contracts: sold no further than capacity was measured, changed by nobody, ended on the books."""

from dataclasses import replace

import pytest

from inland.domain.capacity import StepModel
from inland.domain.contracts import Contract, Tier
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.plant.declared import Declared
from inland.plant.snapshots import build_snapshot, settings_in
from tests.unit.decide.engines import profile
from tests.unit.plant.parts import MODEL, SERVED, SITE

#: Ten milliseconds for each of up to 8 at once: 100 tokens/s, of which 80 are for sale.
STEADY = StepModel(0.0, 0.0, 0.01, 0.001, 0.0)
ASKED = Contract("", "acme", "smollm2", 60)


def _measured(plant, model=STEADY):
    with plant.changes.change("op") as change:
        settings = settings_in(change.state, SERVED)
        measured = replace(profile(model, (1, 2, 4, 8)), deployment="smollm2", settings=settings)
        change.state.put_profile(measured)
        change.touch()


@pytest.fixture
def market(plant):
    """A plant with two tenants, whose deployment is measured."""
    for tenant in ("acme", "demo"):
        plant.tenants.add("op", tenant)
    _measured(plant)
    return plant


def test_a_contract_is_in_force_under_the_id_of_the_record_that_sold_it(market):
    asked = replace(ASKED, ttft_ms=900, burst_tokens=40, weight=3, tier=Tier.INTERACTIVE)
    sold = market.contracts.add("op", asked)
    record = market.records()[-1]
    assert (record["id"], record["what"], record["who"]) == (sold.id, "contract.add", "op")
    now_s = market.clock.unix_us() // 1_000_000
    assert record["details"] == {
        "tenant": "acme",
        "deployment": "smollm2",
        "tokens_per_second": 60,
        "ttft_ms": 900,
        "prompt_tokens": 512,
        "burst_tokens": 40,
        "weight": 3,
        "tier": "interactive",
        "declared": False,
        "since_unix_s": now_s,
        "prompt_ppm": 100_000,
        "for_sale": 80,
        "sold": 60,
        "stream_ppm": 10_000_000,
        "measured_unix_s": 1_800_000_000,
    }
    assert market.snapshot.contracts == {sold.id: sold}
    assert sold == replace(asked, id=sold.id, since_unix_s=now_s)


def test_what_was_not_measured_is_not_sold_save_weight_and_tier(plant):
    plant.tenants.add("op", "acme")
    with pytest.raises(Conflict, match="inland deploy measure smollm2"):
        plant.contracts.add("op", ASKED)
    sold = plant.contracts.add("op", replace(ASKED, tokens_per_second=0, weight=5))
    assert plant.snapshot.contracts == {sold.id: sold}


def test_nothing_is_sold_beyond_what_was_measured_and_the_refusal_has_the_numbers(market):
    market.contracts.add("op", ASKED)
    before = market.snapshot
    with pytest.raises(Conflict, match=r"21 tokens/s beside 60 sold .* 80 for sale .*20 tokens/s"):
        market.contracts.add("op", replace(ASKED, tenant="demo", tokens_per_second=21))
    assert market.snapshot is before
    market.contracts.add("op", replace(ASKED, tenant="demo", tokens_per_second=20))


def test_an_objective_that_cannot_be_had_is_refused_with_the_one_that_can(market):
    strict = replace(ASKED, tokens_per_second=10, ttft_ms=300)  # 512 prompt tokens take 522 ms
    with pytest.raises(Conflict, match="after 522 ms even alone; with a ttft of 523 ms it is sold"):
        market.contracts.add("op", strict)


def test_there_is_one_contract_of_a_tenant_on_a_deployment_and_another_takes_its_place(market):
    first = market.contracts.add("op", ASKED)
    with pytest.raises(Conflict, match=f"{first.id} is in force.*--replace"):
        market.contracts.add("op", replace(ASKED, weight=2))
    market.clock.sleep(60)
    wider = replace(ASKED, tokens_per_second=80)
    second = market.contracts.add("op", wider, instead=True)
    assert list(market.snapshot.contracts) == [second.id]
    (ended,) = [one for one in market.contracts.all(ended=True) if one.until_unix_s is not None]
    assert (ended.id, ended.until_unix_s) == (first.id, second.since_unix_s)
    with pytest.raises(Conflict, match="81 tokens/s"):
        market.contracts.add("op", replace(wider, tokens_per_second=81), instead=True)
    assert list(market.snapshot.contracts) == [second.id]


def test_an_ended_contract_stays_listed_and_ends_once(market):
    sold = market.contracts.add("op", ASKED)
    market.clock.sleep(5)
    ended = market.contracts.remove("op", sold.id)
    assert ended.until_unix_s == sold.since_unix_s + 5
    assert market.contracts.all() == []
    assert market.snapshot.contracts == {}
    booked = market.records()
    assert booked[-1]["what"] == "contract.remove"
    assert booked[-1]["details"]["tenant"] == "acme"
    assert market.contracts.remove("op", sold.id) == ended
    assert market.records() == booked
    assert market.contracts.all("acme", ended=True) == [ended]
    assert market.contracts.all("demo", ended=True) == []
    with pytest.raises(NotFound):
        market.contracts.remove("op", "nope")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"tokens_per_second": -1}, "tokens-per-second"),
        ({"ttft_ms": 0}, "ttft-ms"),
        ({"ttft_ms": 100, "tokens_per_second": 0}, "reserved tokens"),
        ({"prompt_tokens": 2048, "ttft_ms": 100}, "no room for an answer in 2048"),
        ({"burst_tokens": -1}, "burst-tokens"),
        ({"weight": 0}, "weight"),
    ],
)
def test_terms_that_make_no_sense_are_refused_whole(market, wrong, why):
    before = market.snapshot
    with pytest.raises(BadInput, match=why):
        market.contracts.add("op", replace(ASKED, **wrong))
    assert market.snapshot is before


@pytest.mark.parametrize("wrong", [{"tenant": "nope"}, {"deployment": "nope"}])
def test_a_contract_is_between_what_there_is(market, wrong):
    with pytest.raises(NotFound, match="nope"):
        market.contracts.add("op", replace(ASKED, **wrong))


def test_a_deployment_that_was_sold_is_not_removed_by_command(market):
    place = replace(SERVED, name="other", declared=False)
    with market.changes.change("op") as change:
        change.state.put_deployment(place)
        change.touch()
    asked = Contract("", "acme", "other", 0)
    sold = market.contracts.add("op", asked)
    with pytest.raises(Conflict, match=sold.id):
        market.deployments.remove("op", "other")
    market.contracts.remove("op", sold.id)
    market.deployments.remove("op", "other")


def test_a_suspended_tenants_contract_stays_in_force_and_sold(market):
    sold = market.contracts.add("op", ASKED)
    market.tenants.suspend("op", "acme")
    assert market.snapshot.contracts == {sold.id: sold}
    with pytest.raises(Conflict):
        market.contracts.add("op", replace(ASKED, tenant="demo", tokens_per_second=21))


def test_a_deployment_that_the_file_takes_away_takes_its_contracts_along(market):
    sold = market.contracts.add("op", ASKED)
    market.begin(Declared(SITE, models=(MODEL,)))
    assert market.snapshot.contracts == {}
    assert market.contracts.all(ended=True)[0].id == sold.id
    assert "contract.remove" in [one["what"] for one in market.records()]


def test_what_the_file_declares_is_made_true_and_changed_only_there(market):
    declared = replace(ASKED, declared=True)
    market.contracts.declare((declared,))
    (sold,) = market.snapshot.contracts.values()
    assert sold.declared
    version = market.snapshot.version
    market.contracts.declare((declared,))
    assert market.snapshot.version == version
    with pytest.raises(Conflict, match=r"factory.toml declares it"):
        market.contracts.remove("op", sold.id)
    with pytest.raises(Conflict, match=r"factory.toml declares it"):
        market.contracts.add("op", ASKED, instead=True)
    market.contracts.declare((replace(declared, weight=2),))
    (changed,) = market.snapshot.contracts.values()
    assert (changed.weight, changed.id != sold.id) == (2, True)
    market.contracts.declare(())
    assert market.snapshot.contracts == {}


def test_what_is_declared_before_it_is_measured_is_in_force_once_it_is(plant):
    plant.tenants.add("op", "acme")
    declared = replace(ASKED, declared=True)
    plant.contracts.declare((declared,))
    (waiting,) = plant.contracts.waiting("acme")
    assert "inland deploy measure" in waiting.why
    assert plant.contracts.waiting("demo") == []
    plant.contracts.settle()
    assert plant.snapshot.contracts == {}
    _measured(plant)
    plant.contracts.settle()
    assert [one.tokens_per_second for one in plant.snapshot.contracts.values()] == [60]
    assert plant.contracts.waiting() == []


def test_a_declared_change_that_cannot_be_sold_leaves_what_was(market):
    declared = replace(ASKED, declared=True)
    market.contracts.declare((declared,))
    (sold,) = market.snapshot.contracts.values()
    market.contracts.declare((replace(declared, tokens_per_second=81),))
    assert market.snapshot.contracts == {sold.id: sold}
    assert "80 for sale" in market.contracts.waiting()[0].why


def test_contracts_in_force_are_bounded(tmp_path, market):
    market.contracts._most = 1
    market.contracts.add("op", replace(ASKED, tokens_per_second=10))
    with pytest.raises(Conflict, match=r"limits.contracts"):
        market.contracts.add("op", replace(ASKED, tenant="demo", tokens_per_second=10))


def test_a_snapshot_has_contracts_in_force_alone(market):
    sold = market.contracts.add("op", ASKED)
    market.contracts.remove("op", sold.id)
    with market.store.read() as transaction:
        assert transaction.state.contracts(ended=True)
        assert build_snapshot(transaction.state, "test").contracts == {}


def test_a_deployment_is_not_scaled_down_to_less_than_was_sold(market):
    with market.changes.change("op") as change:
        change.state.put_deployment(replace(SERVED, replicas=2, declared=False))
        change.touch()
    market.contracts.add("op", replace(ASKED, tokens_per_second=81))
    with pytest.raises(Conflict, match="81 tokens/s are sold on it, and of 1 replicas 80 would be"):
        market.deployments.scale("op", "smollm2", 1)
    market.contracts.add("op", replace(ASKED, tokens_per_second=80), instead=True)
    market.deployments.scale("op", "smollm2", 1)
    with pytest.raises(Conflict, match="of 0 replicas 0 would be for sale"):
        market.deployments.scale("op", "smollm2", 0)
    market.contracts.add("op", replace(ASKED, tokens_per_second=0), instead=True)
    market.deployments.scale("op", "smollm2", 0)
