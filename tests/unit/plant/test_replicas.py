"""A replica is ready while the very process that produced a token lives."""

from dataclasses import replace as dataclass_replace

import pytest

from inland.domain.errors import BadInput, Conflict, NotFound
from inland.domain.plant import EngineKind, ReplicaState
from inland.domain.releases import Release, ReleaseState
from inland.plant.deployments import Order
from inland.plant.draining import Draining
from inland.plant.replicas import (
    NEWCOMER_NICE,
    SOCKET_PATH_BYTES,
    EngineRoom,
    Replicas,
    awaited,
    socket_path,
)
from inland.ports.runner import ProcessState
from tests.unit.plant.parts import AtOnce, ToyProber, ToyRunner, settled

ROOM = EngineRoom("/home/models", "/home/run", (0, 1))
ONE = "smollm2-0"
DRAIN_S = 30


@pytest.fixture
def runner():
    return ToyRunner()


@pytest.fixture
def prober():
    return ToyProber()


@pytest.fixture
def at_work():
    """Replicas that a gateway says it works on."""
    return set()


@pytest.fixture
def draining(plant, at_work):
    return Draining(lambda replica, version: replica in at_work, plant.clock, DRAIN_S)


@pytest.fixture
def replicas(plant, runner, prober, draining):
    return Replicas(
        plant.changes, runner, dict.fromkeys(EngineKind, prober), ROOM, AtOnce(), draining, dict
    )


def _state(plant, replica=ONE):
    return plant.changes.snapshot().replicas[replica].state


def _waits(plant):
    with plant.store.read() as transaction:
        return awaited(transaction.state)


def test_an_engine_is_ready_when_it_has_produced_a_token(plant, runner, prober, replicas):
    prober.works = False
    replicas.step()
    replicas.step()
    assert _state(plant) is ReplicaState.STARTING
    assert _waits(plant)
    prober.works = True
    plant.clock.sleep(1)
    replicas.step()
    assert _state(plant) is ReplicaState.READY
    assert runner.ready == [("engine-smollm2-0", 100)]
    assert _waits(plant) == []
    (spec,) = runner.asked[-1]
    assert (spec.cores, spec.alias) == ((1,), "smollm2")
    assert spec.model_file == "/home/models/smol.gguf"
    assert spec.socket == "/home/run/engine-smollm2-0.sock"


def test_a_quiet_plant_changes_no_version(plant, replicas):
    for _ in range(3):
        replicas.step()
    version = plant.snapshot.version
    replicas.step()
    assert plant.snapshot.version == version
    assert plant.changes.snapshot().version == version


def test_a_new_life_of_an_engine_is_not_ready_before_it_proves_itself(
    plant, runner, prober, replicas
):
    replicas.step()
    replicas.step()
    assert _state(plant) is ReplicaState.READY
    runner.restart(ONE)
    prober.works = False
    replicas.step()
    assert _state(plant) is ReplicaState.STARTING
    prober.works = True
    plant.clock.sleep(1)
    replicas.step()
    assert _state(plant) is ReplicaState.READY


def test_a_dead_engine_is_not_ready_at_once(plant, runner, replicas):
    replicas.step()
    replicas.step()
    runner.put(ONE, pid=None, start=None, state=ProcessState.BACKING_OFF)
    replicas.step()
    assert _state(plant) is ReplicaState.STARTING


def test_a_given_up_engine_fails_its_replica_until_revived(plant, runner, replicas):
    replicas.step()
    runner.put(ONE, pid=None, state=ProcessState.FAILED, why="no such file")
    replicas.step()
    assert _state(plant) is ReplicaState.FAILED
    runner.revive("engine-smollm2-0")
    for _ in range(3):
        replicas.step()
    assert _state(plant) is ReplicaState.READY


def test_a_control_that_starts_again_keeps_what_was_proved(plant, runner, prober, replicas):
    replicas.step()
    replicas.step()
    version, asked = plant.snapshot.version, prober.asked
    again = Replicas(
        plant.changes,
        runner,
        dict.fromkeys(EngineKind, prober),
        ROOM,
        AtOnce(),
        settled(plant.clock),
        dict,
    )
    again.step()
    assert _state(plant) is ReplicaState.READY
    assert plant.changes.snapshot().version == version
    assert prober.asked == asked


def test_a_server_that_exists_already_is_ready_and_starts_no_process(plant, runner, replicas):
    order = Order(
        "far",
        EngineKind.OPENAI,
        url="https://models.example.org/v1",
        upstream_model="m",
        jurisdiction="US",
    )
    plant.deployments.add("op", order)
    replicas.step()
    assert _state(plant, "far-0") is ReplicaState.READY
    assert {spec.replica for spec in runner.asked[-1]} == {ONE}
    plant.deployments.remove("op", "far")
    replicas.step()
    assert "far-0" not in plant.changes.snapshot().replicas


def test_engines_get_separate_cores_while_there_are_enough(plant, runner, replicas):
    plant.deployments.add("op", Order("twice", EngineKind.LLAMA_CPP, model="smol", replicas=2))
    replicas.step()
    given = [core for spec in runner.asked[-1] for core in spec.cores]
    assert len(runner.asked[-1]) == 3
    assert given == [1]


def test_every_deployments_name_has_a_socket_the_kernel_takes() -> None:
    sockets = "/" + "s" * (SOCKET_PATH_BYTES - len("/engine-0123456789ab.sock") - 1)
    longest = [f"{'d' * 62}{n}-0" for n in range(9)]
    paths = {socket_path(sockets, replica) for replica in ["smollm2-0", *longest]}
    assert len(paths) == 10
    assert all(len(path.encode()) <= SOCKET_PATH_BYTES for path in paths)
    assert socket_path("/run", "smollm2-0") == "/run/engine-smollm2-0.sock"


@pytest.fixture
def two(plant, replicas):
    """A deployment of two replicas, both ready, that the file does not declare."""
    plant.deployments.add("op", Order("two", EngineKind.LLAMA_CPP, model="smol", replicas=2))
    for _ in range(2):
        replicas.step()
    assert _states(plant) == {"two-0": "ready", "two-1": "ready"}


def _states(plant):
    replicas = plant.changes.snapshot().replicas.values()
    return {one.id: one.state.value for one in replicas if one.deployment == "two"}


def _engines(runner):
    return {spec.replica for spec in runner.asked[-1]} - {ONE}


def test_a_replica_wanted_no_more_drains_before_its_engine_is_stopped(
    plant, runner, replicas, at_work, two
):
    at_work.add("two-1")
    plant.deployments.scale("op", "two", 1)
    for _ in range(3):
        replicas.step()
        assert _states(plant) == {"two-0": "ready", "two-1": "draining"}
        assert _engines(runner) == {"two-0", "two-1"}
    at_work.clear()
    for _ in range(2):
        replicas.step()
    assert _states(plant) == {"two-0": "ready"}
    assert _engines(runner) == {"two-0"}
    booked = plant.records()[-1]
    assert (booked["what"], booked["details"]["replicas"]) == ("deployment.scale", 1)


def test_draining_is_bounded(plant, runner, replicas, at_work, two):
    at_work.add("two-1")
    plant.deployments.scale("op", "two", 1)
    for _ in range(2):
        replicas.step()
    plant.clock.sleep(DRAIN_S)
    for _ in range(2):
        replicas.step()
    assert _states(plant) == {"two-0": "ready"}
    assert _engines(runner) == {"two-0"}


def test_what_gateways_said_before_they_knew_that_it_drains_counts_for_nothing(
    plant, runner, prober, two
):
    asked = []

    def works_on(replica, version):
        asked.append((replica, version))
        return True

    draining = Draining(works_on, plant.clock, DRAIN_S)
    again = Replicas(
        plant.changes, runner, dict.fromkeys(EngineKind, prober), ROOM, AtOnce(), draining, dict
    )
    plant.deployments.scale("op", "two", 1)
    again.step()
    said = plant.snapshot.version
    assert plant.snapshot.replicas["two-1"].state is ReplicaState.DRAINING
    again.step()
    assert asked == [("two-1", said)]


def test_a_control_that_starts_again_goes_on_draining(
    plant, runner, prober, replicas, at_work, draining, two
):
    at_work.add("two-1")
    plant.deployments.scale("op", "two", 1)
    for _ in range(2):
        replicas.step()
    again = Replicas(
        plant.changes, runner, dict.fromkeys(EngineKind, prober), ROOM, AtOnce(), draining, dict
    )
    for _ in range(2):
        again.step()
    assert _states(plant) == {"two-0": "ready", "two-1": "draining"}
    assert "two-1" in _engines(runner)
    at_work.clear()
    for _ in range(2):
        again.step()
    assert _states(plant) == {"two-0": "ready"}


def test_a_draining_replica_that_is_wanted_after_all_works_again(
    plant, runner, prober, replicas, at_work, two
):
    at_work.add("two-1")
    plant.deployments.scale("op", "two", 1)
    for _ in range(2):
        replicas.step()
    proved = prober.asked
    plant.deployments.scale("op", "two", 2)
    replicas.step()
    assert _states(plant) == {"two-0": "ready", "two-1": "ready"}
    assert prober.asked == proved


def test_an_engine_that_dies_while_it_drains_is_not_started_for_nothing(
    plant, runner, replicas, at_work, two
):
    at_work.add("two-1")
    plant.deployments.scale("op", "two", 1)
    for _ in range(2):
        replicas.step()
    runner.put("two-1", pid=None, start=None, state=ProcessState.BACKING_OFF)
    for _ in range(2):
        replicas.step()
    assert _states(plant) == {"two-0": "ready"}
    assert _engines(runner) == {"two-0"}


def test_one_that_never_worked_goes_at_once(plant, runner, prober, replicas, at_work):
    prober.works = False
    plant.deployments.add("op", Order("two", EngineKind.LLAMA_CPP, model="smol", replicas=2))
    replicas.step()
    at_work.update({"two-0", "two-1"})
    plant.deployments.scale("op", "two", 0)
    for _ in range(2):
        replicas.step()
    assert _states(plant) == {}
    assert _engines(runner) == set()
    with plant.store.read() as transaction:
        assert not any("two" in waited for waited in awaited(transaction.state))


def test_what_cannot_be_scaled_is_refused(plant, replicas, two):
    with pytest.raises(Conflict, match=r"factory\.toml"):
        plant.deployments.scale("op", "smollm2", 2)
    with pytest.raises(NotFound):
        plant.deployments.scale("op", "none", 2)
    with pytest.raises(BadInput):
        plant.deployments.scale("op", "two", 65)
    far = Order("far", EngineKind.OPENAI, url="https://m.example.org/v1", upstream_model="m")
    plant.deployments.add("op", dataclass_replace(far, jurisdiction="US"))
    with pytest.raises(BadInput):
        plant.deployments.scale("op", "far", 2)
    before = plant.snapshot.version
    plant.deployments.scale("op", "two", 2)
    assert plant.snapshot.version == before


def _release(plant, number=1, state=ReleaseState.APPROVED):
    made = Release(
        id=f"r{number}",
        tenant="acme",
        name="notes",
        deployment="smollm2",
        base_digest="sha256:00",
        adapter=f"a{number}",
        digest="hmac-sha256:1",
        state=state,
        proposed_by="op",
        created_unix_s=0,
        since_unix_s=0,
        approved_by="op",
    )
    with plant.changes.change("test") as change:
        change.state.put_release(made)
        change.touch()


def test_an_engine_serves_until_one_with_other_adapters_does(
    plant, runner, prober, replicas, at_work
):
    for _ in range(2):
        replicas.step()
    _release(plant)
    prober.works = False
    replicas.step()
    old, new = sorted(plant.changes.snapshot().replicas.values(), key=lambda one: len(one.id))
    assert (old.id, old.state) == (ONE, ReplicaState.READY)
    assert (new.adapters, new.state) == (("a1",), ReplicaState.STARTING)
    assert [spec.adapters for spec in runner.asked[-1]] == [(), ("a1",)]
    at_first = [(spec.cores, spec.nice) for spec in runner.asked[-1]]
    assert at_first == [((1,), 0), ((0,), NEWCOMER_NICE)], "it keeps its core"
    at_work.add(ONE)
    prober.works = True
    plant.clock.sleep(1)
    for _ in range(2):
        replicas.step()
    there = plant.changes.snapshot().replicas
    assert there[new.id].state is ReplicaState.READY
    assert there[ONE].state is ReplicaState.DRAINING
    replicas.step()
    assert [(spec.cores, spec.nice) for spec in runner.asked[-1]] == [((1,), 0), ((), 0)]
    at_work.clear()
    for _ in range(2):
        replicas.step()
    assert plant.changes.snapshot().replicas.keys() == {new.id}
    assert [(spec.adapters, spec.cores) for spec in runner.asked[-1]] == [(("a1",), (1,))]


def test_an_engine_that_does_not_start_with_an_adapter_takes_nothings_place(
    plant, runner, replicas
):
    for _ in range(2):
        replicas.step()
    _release(plant)
    replicas.step()
    (new,) = plant.changes.snapshot().replicas.keys() - {ONE}
    runner.put(new, pid=None, state=ProcessState.FAILED, why="no such tensor")
    for _ in range(3):
        replicas.step()
    assert _state(plant) is ReplicaState.READY
    assert _state(plant, new) is ReplicaState.FAILED
