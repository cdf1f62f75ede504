"""Replicas: which engines should run, which of them have produced a token, and what gateways hear.

A replica is ready while the very process that proved itself is alive; a new life proves itself
anew. One that is not wanted any more drains before its engine is stopped.

An engine has the adapters it was started with. Where others are wanted another replica is started
that has them, named for them; the one that is there serves until that is ready, and then drains.
"""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from hashlib import sha256

from inland.decide.lines.rollout import loaded
from inland.decide.scheduling import assign_accelerators, assign_cores
from inland.domain.plant import (
    REPLICA_LIFE,
    Deployment,
    EngineKind,
    Feature,
    Model,
    Replica,
    ReplicaState,
)
from inland.plant.changes import Change, Changes
from inland.plant.draining import Draining
from inland.ports.engine import Prober
from inland.ports.runner import EngineSpec, ProcessState, ProcessView, Runner
from inland.ports.state import StateTables

#: Pause between two probes of one life that has not produced a token yet, in seconds.
PROBE_PAUSE_S = 0.05

#: The kernel's limit on a unix socket's path, its closing zero byte left out (unix(7)).
SOCKET_PATH_BYTES = 107

#: How far an engine that is to take over stands back for others until it works: a third of what
#: each of them gets.
NEWCOMER_NICE = 5

#: Digits that tell a replica's list of adapters from another one.
MARK_DIGITS = 8

#: One life of a process: pid and start.
Life = tuple[int, int | None]
#: What a replica's chat template has.
Features = tuple[Feature, ...]


@dataclass(frozen=True, slots=True)
class EngineRoom:
    """Where engines run: folders (absolute), the cores and accelerators of this machine, and what
    holds each kind of engine in."""

    models: str
    sockets: str
    cores: tuple[int, ...]
    isolation: Mapping[EngineKind, str] = field(default_factory=dict)
    accelerators: tuple[int, ...] = ()

    def holds(self, engine: EngineKind) -> str:
        """What holds it in."""
        return self.isolation.get(engine, "none")


@dataclass(slots=True)
class _Probe:
    life: Life
    under_way: Future[Features | None] | None = None
    not_before: float = 0.0


class Replicas:
    """Brings engines and replicas to what the deployments ask for, a step at a time."""

    def __init__(
        self,
        changes: Changes,
        runner: Runner,
        probers: Mapping[EngineKind, Prober],
        room: EngineRoom,
        probes: Executor,
        draining: Draining,
        held_back: Callable[[], Mapping[str, str]],
    ) -> None:
        """`held_back`: the models that no engine may have just now."""
        self._held_back = held_back
        self._changes = changes
        self._runner = runner
        self._probers = probers
        self._room = room
        self._executor = probes
        self._draining = draining
        self._asked: tuple[EngineSpec, ...] | None = None
        self._proven: dict[str, Life] = {}
        self._templates: dict[str, Features] = {}
        self._probes: dict[str, _Probe] = {}
        self._rests = False

    def rests(self) -> bool:
        """As controllers do: nothing starts, proves itself, drains, or waits to be written."""
        return self._rests

    def step(self) -> None:
        """Observe, ask for the engines wanted, and write what changed. Raises Busy while nobody
        answers for the processes."""
        self._rests = False
        held_back = self._held_back()
        now_unix_s = self._changes.clock.unix_us() // 1_000_000
        with self._changes.store.read() as transaction:
            state = transaction.state
            adapters = _served(loaded(state.releases().values(), now_unix_s), held_back)
            models = state.models()
            deployments = {
                name: one
                for name, one in state.deployments().items()
                if one.model not in held_back  # nothing waits for what they were at
            }
            written, version = state.replicas(), state.version()
        views = {
            view.replica: view
            for view in self._runner.processes()
            if view.replica and view.state is not ProcessState.STOPPED
        }
        wanted = wanted_replicas(deployments, self._room, adapters)
        leaving = self._leaving(written, {one.id for one in wanted}, deployments, views, version)
        held = {spec.replica: spec.accelerators for spec in self._asked or ()}
        specs = wanted_engines(deployments, models, self._room, leaving.values(), held, adapters)
        is_asked = specs == self._asked and {spec.replica for spec in specs} == views.keys()
        if not is_asked:
            self._runner.set_engines(specs)
            self._asked = specs
        for spec in specs:
            before = written.get(spec.replica)
            known = before is not None and before.template is not None
            self._prove(spec, views.get(spec.replica), known=known)
        seen = {one.id: self._seen(one, written.get(one.id), views) for one in wanted} | leaving
        if seen != written:
            with self._changes.change("replicas") as change:
                _write(change, seen)
            return
        proven = all(_life(one) in {None, self._proven.get(name)} for name, one in views.items())
        self._rests = is_asked and proven and not leaving

    def _leaving(
        self,
        written: dict[str, Replica],
        wanted: Collection[str],
        deployments: dict[str, Deployment],
        views: dict[str, ProcessView],
        version: int,
    ) -> dict[str, Replica]:
        """The replicas that are wanted no more and still at work: draining, but for those whose
        successor is not ready yet."""
        leaving = {}
        coming = {place_of(one): one for one in wanted if not self._works(one, views)}
        for one in written.values():
            deployment = deployments.get(one.deployment)
            if one.id in wanted or deployment is None or not deployment.engine.is_ours:
                continue
            if one.state is ReplicaState.DRAINING:
                self._draining.begin(one.id, version)
            elif one.state is not ReplicaState.READY:
                continue
            elif place_of(one.id) in coming and self._lives_on(one.id, views):
                leaving[one.id] = one
                continue
            if self._lives_on(one.id, views) and not self._draining.is_over(one.id):
                leaving[one.id] = replace(one, state=ReplicaState.DRAINING)
        self._draining.forget_others(leaving)
        return leaving

    def _works(self, replica: str, views: dict[str, ProcessView]) -> bool:
        """Whether this life of it has proved itself."""
        life = _life(views.get(replica))
        return life is not None and self._proven.get(replica) == life

    def _lives_on(self, replica: str, views: dict[str, ProcessView]) -> bool:
        """Whether it is the process that proved itself: one that came after it has nothing to end.

        A control that starts knows no life yet, and takes what runs for it.
        """
        view = views.get(replica)
        life = _life(view)
        if view is None or life is None or view.state is not ProcessState.RUNNING:
            return False
        return self._proven.get(replica, life) == life

    def _seen(
        self, wanted: Replica, before: Replica | None, views: dict[str, ProcessView]
    ) -> Replica:
        kept = before.template if before is not None else None
        template = self._templates.get(wanted.id, kept)
        return replace(wanted, state=self._state_of(wanted, views), template=template)

    def _state_of(self, replica: Replica, views: dict[str, ProcessView]) -> ReplicaState:
        if replica.state is ReplicaState.READY:  # a server that exists already
            return replica.state
        view = views.get(replica.id)
        if view is not None and view.state is ProcessState.FAILED:
            return ReplicaState.FAILED
        return ReplicaState.READY if self._works(replica.id, views) else ReplicaState.STARTING

    def _prove(self, spec: EngineSpec, view: ProcessView | None, *, known: bool) -> None:
        """Find out, without waiting, whether this life of an engine has produced a token.

        `known`: what its template has is on record.
        """
        life = _life(view)
        if view is None or life is None:
            self._proven.pop(spec.replica, None)
            return
        if self._proven.get(spec.replica) == life:
            return
        if view.state is ProcessState.RUNNING and known:  # proved to an earlier control
            self._proven[spec.replica] = life
            return
        probe = self._probes.get(spec.replica)
        if probe is None or probe.life != life:
            probe = self._probes[spec.replica] = _Probe(life)
            self._templates.pop(spec.replica, None)
        now = self._changes.clock.monotonic()
        if probe.under_way is None and now >= probe.not_before:
            prove = self._probers[EngineKind(spec.engine)].prove
            probe.under_way = self._executor.submit(prove, spec.socket, spec.alias)
        if probe.under_way is None or not probe.under_way.done():
            return
        template = probe.under_way.result()
        probe.under_way = None
        probe.not_before = now + PROBE_PAUSE_S
        if template is not None:
            self._templates[spec.replica] = template
            self._runner.report_ready(view.name, life[0])
            self._proven[spec.replica] = life
            del self._probes[spec.replica]


def wanted_engines(
    deployments: dict[str, Deployment],
    models: dict[str, Model],
    room: EngineRoom,
    leaving: Collection[Replica] = (),
    held: Mapping[str, tuple[int, ...]] | None = None,
    adapters: Mapping[str, tuple[str, ...]] | None = None,
) -> tuple[EngineSpec, ...]:
    """The engines that should run here, each with cores or accelerators of its own while there are
    enough.

    `leaving`: replicas beyond those wanted, whose engines still work; one that serves until its
    successor does keeps its cores, and that one stands back elsewhere until then. `held`: the
    accelerators of those that run, which they keep: another one is another process. `adapters`: by
    deployment.
    """
    at_work = [one for one in leaving if one.state is ReplicaState.READY]
    ending = [one for one in leaving if one.state is not ReplicaState.READY]
    local = [
        (replica, one, models[one.model], theirs)
        for name, one in sorted(deployments.items())
        if one.engine.is_ours and one.model in models
        for replica, theirs in [
            *_of(name, at_work),
            *_names(one, (adapters or {}).get(name, ())),
            *_of(name, ending),
        ]
    ]
    threads = {name: one.threads for name, one, *_ in local if one.engine is EngineKind.LLAMA_CPP}
    serving = {place_of(one.id): one.id for one in at_work}
    coming = {name for name, *_ in local if serving.get(place_of(name), name) != name}
    cores = _cores(threads, room.cores, set(serving.values()), coming)
    wanted = {name: one.threads for name, one, _, _ in local if one.engine is EngineKind.VLLM}
    accelerators = assign_accelerators(wanted, room.accelerators, held or {})
    return tuple(
        EngineSpec(
            replica=replica,
            alias=one.name,
            model_file=str(model.file) if model.asset else _below(room.models, str(model.file)),
            socket=socket_path(room.sockets, replica),
            slots=one.slots,
            context=one.context,
            threads=one.threads,
            cores=cores.get(replica, ()),
            isolation=room.holds(one.engine),
            engine=one.engine.value,
            accelerators=accelerators.get(replica, ()),
            model=model.id,
            digest="" if model.asset else (model.digest or "").removeprefix("sha256:"),
            adapters=theirs,
            nice=NEWCOMER_NICE if replica in coming else 0,
        )
        for replica, one, model, theirs in local
    )


def _cores(
    threads: Mapping[str, int],
    cores: tuple[int, ...],
    serving: Collection[str],
    coming: Collection[str],
) -> dict[str, tuple[int, ...]]:
    """By replica. One that comes to take over and finds none free has all but those of the engines
    that serve until then."""
    assigned = dict(zip(threads, assign_cores([*threads.values()], cores), strict=True))
    taken = {core for name in serving for core in assigned.get(name, ())}
    rest = tuple(core for core in cores if core not in taken) if taken else ()
    return {name: mine or (rest if name in coming else ()) for name, mine in assigned.items()}


def wanted_replicas(
    deployments: dict[str, Deployment],
    room: EngineRoom,
    adapters: Mapping[str, tuple[str, ...]] | None = None,
) -> list[Replica]:
    """The replicas there should be: engines starting, and servers that exist already, ready.
    `adapters`: by deployment."""
    replicas = []
    for _, one in sorted(deployments.items()):
        if not one.engine.is_ours:
            assert one.url is not None
            ready = ReplicaState.READY
            replicas.append(Replica(f"{one.name}-0", one.name, ready, one.url, one.place))
            continue
        for replica, theirs in _names(one, (adapters or {}).get(one.name, ())):
            address = socket_path(room.sockets, replica)
            starting = ReplicaState.STARTING
            held_in = room.holds(one.engine)
            replicas.append(
                Replica(replica, one.name, starting, address, one.place, held_in, adapters=theirs)
            )
    return replicas


def _names(
    deployment: Deployment, adapters: tuple[str, ...] = ()
) -> list[tuple[str, tuple[str, ...]]]:
    """A deployment's replicas, with their adapters: other ones make another replica."""
    mark = f".{sha256(' '.join(adapters).encode()).hexdigest()[:MARK_DIGITS]}" if adapters else ""
    names = (f"{deployment.name}-{number}{mark}" for number in range(deployment.replicas))
    return [(name, adapters) for name in names]


def _of(deployment: str, leaving: Collection[Replica]) -> list[tuple[str, tuple[str, ...]]]:
    return sorted((one.id, one.adapters) for one in leaving if one.deployment == deployment)


def place_of(replica: str) -> str:
    """Deployment and number, whatever its adapters are: one replica works there at a time, and
    another while it takes over."""
    deployment, _, rest = replica.rpartition("-")
    return f"{deployment}-{rest.partition('.')[0]}"


def _served(
    adapters: Mapping[str, tuple[str, ...]], held_back: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Without those that no engine may have."""
    return {
        name: tuple(one for one in all_ if one not in held_back) for name, all_ in adapters.items()
    }


def socket_path(sockets: str, replica: str) -> str:
    """Where an engine serves: named for its replica, or by a hash of it where that is too long."""
    path = f"{sockets}/engine-{replica}.sock"
    if len(path.encode()) <= SOCKET_PATH_BYTES:
        return path
    return f"{sockets}/engine-{sha256(replica.encode()).hexdigest()[:12]}.sock"


def _write(change: Change, seen: dict[str, Replica]) -> None:
    """Bring the replicas in the state to those seen, as far as its deployments still stand."""
    written = change.state.replicas()
    deployments = change.state.deployments()
    for gone in written.keys() - seen.keys():
        change.state.remove_replica(gone)
        change.touch()
    for replica in seen.values():
        before = written.get(replica.id)
        if replica == before or replica.deployment not in deployments:
            continue
        change.state.put_replica(replica if before is None else _moved(before, replica))
        change.touch()


def _moved(before: Replica, wanted: Replica) -> Replica:
    """`wanted`, or starting where its life has no direct move there; the next step goes on."""
    direct = wanted.state is before.state or wanted.state in REPLICA_LIFE[before.state]
    return wanted if direct else _in_state(wanted, ReplicaState.STARTING)


def _in_state(replica: Replica, state: ReplicaState) -> Replica:
    return replace(replica, state=state)


def _life(view: ProcessView | None) -> Life | None:
    return (view.pid, view.start) if view is not None and view.pid is not None else None


def _below(folder: str, file: str) -> str:
    return file if file.startswith("/") else f"{folder}/{file}"


def awaited(state: StateTables, held_back: Collection[str] = ()) -> list[str]:
    """What `/readyz` waits for: deployments here, none of whose replicas has produced a token, but
    those whose models are held back."""
    ready = {one.deployment for one in state.replicas().values() if one.state is ReplicaState.READY}
    return [
        f"a token from deployment {name}"
        for name, one in sorted(state.deployments().items())
        if one.engine.is_ours and one.replicas and name not in ready
        if one.model not in held_back
    ]
