"""Where a release comes from: the changes that tell of it, and its run's steps as the log knows
them."""

from dataclasses import replace
from hashlib import sha256

import pytest

from inland.domain.assets import AssetKind
from inland.domain.errors import Conflict
from inland.domain.lines import RunState
from inland.domain.releases import NO_EVIDENCE, Evidence, Release, ReleaseState
from inland.lines.origins import origin_of
from tests.unit.lines.world import LineWorld


@pytest.fixture
def made(world: LineWorld) -> tuple[LineWorld, Release]:
    """A release, booked, of a run that was done; other runs and assets stand beside it."""
    world.add_suite()
    world.declare()
    world.add()
    other = world.ended(world.start())
    adapter = world.add(kind=AssetKind.ADAPTER, name="a")
    run = world.ended(world.start())
    assert {other.state, run.state} == {RunState.DONE}
    release = Release(
        id=run.id,
        tenant="acme",
        name="notes",
        deployment="smollm2",
        base_digest="sha256:00",
        adapter=adapter,
        digest="hmac-sha256:00",
        state=ReleaseState.PROPOSED,
        proposed_by="k",
        created_unix_s=world.plant.clock.unix_us() // 1_000_000,
        since_unix_s=0,
        evidence=Evidence(run=run.id),
    )
    with world.plant.changes.change("k") as change:
        change.book("release.propose", release.id, tenant="acme", adapter=adapter)
        change.book("release.propose", "another", tenant="acme", adapter=adapter)
    return world, release


def test_it_names_the_changes_and_shows_the_steps(made):
    world, release = made
    origin = origin_of(world.plant.store, release)
    told = [(one["what"], one["subject"]) for one in origin.records]
    suite = world.room.runs.show(None, release.evidence.run)[0].materials.suites[0].asset
    assert told == [
        ("asset.add", suite),
        ("asset.add", release.adapter),
        ("run.begin", "nightly"),
        *[(f"step.{what}", kind) for kind in ("check", "evaluate", "gate") for what in _BOTH],
        ("run.end", release.id),
        ("release.propose", release.id),
    ]
    ends = {one["subject"]: one["details"] for one in origin.records if one["what"] == "step.end"}
    for kind, step in origin.steps.items():
        assert sha256(step.inputs.encode()).hexdigest() == ends[kind]["inputs"]
        assert sha256(step.outputs.encode()).hexdigest() == ends[kind]["outputs"]
        assert len(step.receipts) == ends[kind]["receipts"]
    assert origin.steps["evaluate"].receipts


def test_of_one_that_no_run_made_it_names_the_adapter_alone(made):
    world, release = made
    origin = origin_of(world.plant.store, replace(release, evidence=NO_EVIDENCE))
    assert [one["what"] for one in origin.records] == ["asset.add", "release.propose"]
    assert not origin.steps


def test_a_run_that_is_kept_no_more_or_another_tenants_is_none(made):
    world, release = made
    for evidence, tenant in ((Evidence(run="gone"), "acme"), (release.evidence, "demo")):
        with pytest.raises(Conflict, match="is not kept"):
            origin_of(world.plant.store, replace(release, evidence=evidence, tenant=tenant))


_BOTH = ("begin", "end")
