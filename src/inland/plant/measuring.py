"""Measuring: a ladder driven through one replica of a deployment, and the profile that comes of it.

One at a time in a factory, for engines share its cores. It runs beside the tenants' traffic, each
rung in bounded time; what the replica made for others meanwhile is kept with the profile.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock

from inland.decide import ladder
from inland.decide.capacity import knee
from inland.decide.ladder import Rung
from inland.decide.step_fitting import fit
from inland.domain.capacity import Point, Profile
from inland.domain.errors import Conflict, InlandError, NotFound
from inland.domain.plant import Deployment, Replica, ReplicaState
from inland.plant.changes import Changes
from inland.plant.driving import Driver
from inland.plant.profiles import put_profile
from inland.plant.snapshots import settings_in
from inland.ports.engine import Completion, Target, Work
from inland.ports.state import StateTables

#: No rung begins that would, by what was seen, end after this; each gets what is left of it, but
#: at least so much. In seconds.
MEASURE_S, LEAST_RUNG_S = 60.0, 10.0
#: Fewer points than this make no profile.
LEAST_POINTS = 2


class Stage(StrEnum):
    """How far a measurement is."""

    MEASURING = "measuring"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement, under way or over. Of its `rungs`, `tried` are behind it, `left_out` of
    these for want of time; `doing`: the one under way. `beside_tokens`: as in a profile. `why`: it
    failed."""

    deployment: str
    replica: str
    rungs: int
    stage: Stage = Stage.MEASURING
    tried: int = 0
    left_out: int = 0
    doing: str = ""
    points: tuple[Point, ...] = ()
    beside_tokens: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is measured, as it stood when it began, and for whom."""

    who: str
    deployment: Deployment
    replica: Replica
    settings: str
    rungs: Sequence[Rung]


class Measuring:
    """Measures the deployments of one factory, each time one."""

    def __init__(
        self,
        changes: Changes,
        driver: Driver,
        begin: Callable[[Callable[[], None]], None],
        within_s: float = MEASURE_S,
    ) -> None:
        """`begin` runs what may take minutes on a thread that ends with the process."""
        self._changes = changes
        self._driver = driver
        self._begin = begin
        self._within_s = within_s
        self._lock = Lock()
        self._last: dict[str, Measurement] = {}
        self._under_way: str | None = None

    def last(self, name: str) -> Measurement:
        """Of that deployment, the one under way or the last since control began. Raises
        NotFound."""
        with self._lock:
            found = self._last.get(name)
        if found is None:
            raise NotFound(f"measurement of deployment {name!r}")
        return found

    def measure(self, who: str, name: str) -> Measurement:
        """Begin to; `last` tells how it goes. Raises NotFound, and Conflict for what cannot be
        measured, or not now."""
        with self._changes.store.read() as transaction:
            asked = self._asked(transaction.state, who, name)
            standing = set(transaction.state.deployments())
        begun = Measurement(name, asked.replica.id, len(asked.rungs))
        with self._lock:
            if self._under_way is not None:
                why = f"{self._under_way!r} is being measured; try again when that is done"
                raise Conflict(f"measuring {name!r}", why)
            self._under_way = name
            self._last = {one: last for one, last in self._last.items() if one in standing}
            self._last[name] = begun
        self._begin(lambda: self._run(asked, begun))
        return begun

    def _asked(self, state: StateTables, who: str, name: str) -> _Asked:
        deployment = state.deployments().get(name)
        if deployment is None:
            raise NotFound(f"deployment {name!r}")
        if not self._driver.drives(deployment.engine):
            why = "its server may work for others too, so what is measured of it promises nothing"
            raise Conflict(f"measuring {name!r}", f"{why}; serve the model here to sell capacity")
        ready = [
            one
            for one in state.replicas().values()
            if one.deployment == name and one.state is ReplicaState.READY
        ]
        if not ready:
            why = "no replica of it works yet; `inland status` says why"
            raise Conflict(f"measuring {name!r}", why)
        rungs = ladder.rungs(deployment.slots, deployment.context)
        return _Asked(who, deployment, ready[0], settings_in(state, deployment), rungs)

    def _run(self, asked: _Asked, begun: Measurement) -> None:
        """All of it. Whatever goes wrong is told to who asks how it went."""
        why = "a fault of Inland's own; control's log has it"
        try:
            measured = self._climbed(asked, begun)
            self._keep(asked, measured)
            self._show(replace(measured, stage=Stage.DONE))
            why = ""
        except InlandError as error:
            why = str(error)
        finally:
            if why:
                last = self.last(begun.deployment)
                self._show(replace(last, stage=Stage.FAILED, doing="", why=why))
            with self._lock:
                self._under_way = None

    def _show(self, measurement: Measurement) -> None:
        with self._lock:
            self._last[measurement.deployment] = measurement

    def _climbed(self, asked: _Asked, begun: Measurement) -> Measurement:
        """Every rung there is time for."""
        clock, now = self._changes.clock, begun
        climb = _Climb(self._driver, asked, clock.unix_us())
        climb.rung(Rung(1, 1), LEAST_RUNG_S)  # what a first request costs is nobody's question
        until = clock.monotonic() + self._within_s
        for rung in asked.rungs:
            self._show(replace(now, doing=str(rung)))
            left_s = until - clock.monotonic()
            fits = left_s > 0 and ladder.lasting_s(rung, now.points) <= left_s
            found = climb.rung(rung, max(left_s, LEAST_RUNG_S)) if fits else None
            now = replace(
                now,
                tried=now.tried + 1,
                left_out=now.left_out + (found is None),
                points=now.points if found is None else (*now.points, found),
            )
        return replace(now, beside_tokens=climb.beside())

    def _keep(self, asked: _Asked, measured: Measurement) -> None:
        """Onto the books and out to the gateways."""
        points = tuple(sorted(measured.points, key=_place))
        if len(points) < LEAST_POINTS:
            why = f"{asked.replica.id} was too slow, or had no room for requests of ours"
            raise Conflict(f"measuring {asked.deployment.name!r}", f"{why}; try again later")
        fitted = fit(ladder.observations(points))
        profile = Profile(
            deployment=asked.deployment.name,
            measured_unix_s=self._changes.clock.unix_us() // 1_000_000,
            settings=asked.settings,
            points=points,
            model=fitted.model,
            knee=knee(points),
            error=fitted.error,
            r2=fitted.r2,
            beside_tokens=measured.beside_tokens,
        )
        with self._changes.change(asked.who) as change:
            put_profile(change, profile, asked.replica.id)


#: What an engine that shares its cache keeps prompts of ours apart by; no tenant's is so short.
_SALT = "measuring"


def _place(point: Point) -> tuple[int, int]:
    return point.prompt_tokens, point.concurrency


class _Climb:
    """Rungs driven through one replica, and the tokens made."""

    def __init__(self, driver: Driver, asked: _Asked, number: int) -> None:
        """`number`: of the first prompt; no two are alike."""
        self._driver = driver
        self._engine = asked.deployment.engine
        name = asked.deployment.upstream_model or asked.deployment.name
        self._target = Target(asked.replica.id, asked.replica.address, name, salt=_SALT)
        self._number = number
        self._before = driver.made(self._engine, self._target.address)
        self._ours = 0

    def rung(self, rung: Rung, limit_s: float) -> Point | None:
        """What it was seen to be; None where its requests were never answered all at once."""
        runs = []
        for _ in range(rung.times):
            works = [self._work(rung) for _ in range(rung.concurrency)]
            streams = self._driver.drive(self._engine, self._target, works, limit_s / rung.times)
            self._ours += sum(one.completion_tokens for one in streams)
            runs.append(streams)
        return ladder.point(rung.concurrency, runs)

    def beside(self) -> int:
        """Tokens that the replica made for others."""
        after = self._driver.made(self._engine, self._target.address)
        if after is None or self._before is None:
            return 0
        return max(0, after - self._before - self._ours)

    def _work(self, rung: Rung) -> Work:
        self._number += 1
        text = ladder.prompt(self._number, rung.prompt_tokens)
        task = Completion([text])
        return Work(task, stream=True, max_tokens=ladder.TOKENS, temperature=0.0)
