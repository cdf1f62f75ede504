"""A replica is ready while the very process that produced a token lives."""

import pytest

from inland.domain.plant import EngineKind, ReplicaState
from inland.plant.deployments import Order
from inland.plant.replicas import (
    SOCKET_PATH_BYTES,
    EngineRoom,
    Replicas,
    awaited,
    socket_path,
)
from inland.ports.runner import ProcessState
from tests.unit.plant.parts import AtOnce, ToyProber, ToyRunner

ROOM = EngineRoom("/home/models", "/home/run", (0, 1))
ONE = "smollm2-0"


@pytest.fixture
def runner():
    return ToyRunner()


@pytest.fixture
def prober():
    return ToyProber()


@pytest.fixture
def replicas(plant, runner, prober):
    return Replicas(plant.changes, runner, prober, ROOM, AtOnce())


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
    again = Replicas(plant.changes, runner, prober, ROOM, AtOnce())
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
