"""Of a run that was refused it is signed what was tried and what refused it, as it was booked."""

import json
from base64 import b64decode
from hashlib import sha256

import pytest

from inland.domain.errors import Conflict, NotFound
from inland.domain.lines import Run, RunState
from inland.domain.releases import candidate_name
from tests.unit.lines.test_check import NOTES
from tests.unit.lines.test_releasing import GATED, Factory
from tests.unit.lines.test_releasing import factory as factory  # noqa: PLC0414 - a fixture
from tests.unit.lines.world import LINE, LineWorld


def told(world: LineWorld, run: Run) -> dict:
    envelope, _ = world.room.refusals.signed("acme", run.id)
    payload = b64decode(json.loads(envelope)["payload"])
    (end,) = [one for one in world.said("run.end") if one["subject"] == run.id][-1:]
    assert end["details"]["statement"] == sha256(payload).hexdigest()
    made: dict = json.loads(payload)
    return made


@pytest.fixture
def poisoned(factory: Factory) -> Run:
    """The second run of a line, which the gate refused."""
    world = factory.world
    world.declare(GATED)
    factory.ended(world.start())
    world.add(NOTES * 2, name="notes")
    run = world.start()
    world.tokens.dull = frozenset({candidate_name("nightly", run.id)})  # type: ignore[attr-defined]
    assert factory.ended(run).state is RunState.REFUSED
    return run


def test_what_a_gate_refused_is_signed_with_its_data_scores_and_verdict(factory, poisoned):
    world = factory.world
    said = told(world, poisoned)
    (row,) = [one for one in said["subject"] if one["name"] == "acme/notes"]
    with world.plant.store.read() as transaction:
        adapter = transaction.assets.asset(factory.made)
    assert row["digest"] == {"hmac-sha256": adapter.digest}
    build = said["predicate"]["buildDefinition"]
    assert build["buildType"].endswith("/refusal/v1")
    assert len(build["resolvedDependencies"]) == 3, "the base, the data and the holdout"
    assert build["internalParameters"]["scores"].keys() == {"sums", "serving sums"}
    assert build["internalParameters"]["gate"].startswith("refused: sums")
    details = said["predicate"]["runDetails"]
    assert details["builder"]["version"]["inland"].startswith("inland ")
    (refusal,) = [one["annotations"] for one in details["byproducts"]]
    assert (refusal["run"], refusal["step"]) == (poisoned.id, "gate")
    assert "against what serves" in refusal["why"]
    _, origin = world.room.refusals.signed(None, poisoned.id)
    named = {one["what"] for one in origin.records}
    assert named >= {"asset.add", "run.begin", "step.end", "run.end"}
    assert tuple(origin.steps) == ("check", "baseline", "train", "evaluate", "gate")


def test_what_a_check_refused_is_signed_too(world):
    world.add_suite(b"?")
    world.declare(LINE)
    run = world.ended(world.start())
    (refusal,) = told(world, run)["predicate"]["runDetails"]["byproducts"]
    assert refusal["annotations"]["step"] == "check"


def test_of_what_was_not_refused_or_is_another_tenants_nothing_is_signed(factory, poisoned):
    world = factory.world
    with pytest.raises(NotFound):
        world.room.refusals.signed("demo", poisoned.id)
    first = world.room.runs.all("acme")[-1]
    with pytest.raises(Conflict, match="it is done"):
        world.room.refusals.signed("acme", first.id)
    world.room.runs.resume(world.member, "acme", poisoned.id)
    with pytest.raises(Conflict, match="it is running"):
        world.room.refusals.signed("acme", poisoned.id)
    assert factory.ended(poisoned).state is RunState.REFUSED
    assert told(world, poisoned), "of its second end"


def test_what_is_not_as_it_was_booked_is_not_signed(factory, poisoned):
    world = factory.world
    world.plant.room.erasures.supersede(_row(world, factory.made), world.member.id)
    world.plant.upkeep.step()
    with pytest.raises(Conflict, match="what is left of it"):
        world.room.refusals.signed("acme", poisoned.id)


def _row(world, asset):
    with world.plant.store.read() as transaction:
        return transaction.assets.asset(asset)
