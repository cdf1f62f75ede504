"""The key that a tenant's batches act with: renewed and ended while requests are under way."""

import pytest

from inland.batches.keys import LASTS_S, LEFT_S, BatchKeys
from inland.domain.batches import BatchState
from tests.unit.batches.world import BatchWorld, file_of, line


@pytest.fixture
def three(world: BatchWorld) -> str:
    """A file of three requests."""
    return world.add_file(file_of([line(number) for number in range(3)]))


def keys_of(world: BatchWorld) -> BatchKeys:
    return world.batches.worker._keys


def test_a_request_that_its_keys_renewal_overtakes_is_asked_again(world: BatchWorld, three: str):
    batch = world.start(three)

    def renew() -> None:
        """As another request does that is under way."""
        world.plant.clock.sleep(LASTS_S - LEFT_S + 1)
        keys_of(world).text(batch)

    world.passing.snapshot = world.plant.changes.snapshot
    world.passing.meanwhile = {"Question 1": renew}
    done = world.over(batch)
    assert (done.state, done.answered) == (BatchState.COMPLETED, 3), done.flaws
    assert len(world.said("key.renew")) == 1


def test_a_key_that_is_the_newest_and_opens_nothing_ends_the_batch(world: BatchWorld, three: str):
    world.batches = world.made_batches(batch_at_once=1)
    world.passing.code = "invalid_api_key"
    world.passing.statuses = {"Question 0": [401]}
    done = world.over(world.start(three))
    assert done.state is BatchState.FAILED
    assert world.passing.asked == ["Question 0"]


def test_only_the_key_that_was_refused_is_dropped(world: BatchWorld, three: str):
    world.batches.worker._stopping = True
    batch, keys = world.start(three), keys_of(world)
    refused = keys.text(batch)
    assert keys.drop(batch, refused)
    newer = keys.text(batch)
    assert newer != refused
    assert not keys.drop(batch, refused)
    assert keys.text(batch) == newer


def test_a_batch_that_begins_while_another_ends_keeps_its_key(
    world: BatchWorld, three: str, monkeypatch: pytest.MonkeyPatch
):
    keys, real = keys_of(world), BatchKeys.end
    first, seen = [True], list[tuple[str, str, int]]()

    def end(self, *words) -> None:
        if not first:
            real(self, *words)
            return
        first.pop()
        world.passing.held = {"Question 0"}  # the second ends behind this
        second = world.start(three)
        before = keys.text(second)
        real(self, *words)
        (key,) = (one for one in world.plant.keys.all("acme") if one.batch)
        seen.append((before, keys.text(second), key.expires_unix_s or 0))
        world.passing.gate.set()

    monkeypatch.setattr(BatchKeys, "end", end)
    world.over(world.start(three))
    ((before, after, expires_unix_s),) = seen
    assert after == before
    assert expires_unix_s > world.plant.clock.unix_us() // 1_000_000
