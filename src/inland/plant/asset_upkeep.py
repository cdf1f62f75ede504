"""What assets need beside what is asked of them: what was cut is finished or undone, what its
retention is over for is erased, names that rest under an older key are sealed anew."""

from collections import deque
from collections.abc import Callable
from functools import partial

from inland.domain.assets import Action
from inland.plant.changes import Changes
from inland.plant.erasures import Erasures
from inland.plant.exports import Exports
from inland.plant.jobs import PURPOSES, Jobs
from inland.plant.moves import Moves
from inland.plant.resealing import Resealing
from inland.plant.uploads import Uploads
from inland.ports.assets import Intent

#: Pause between two looks, and how long one step may go on beginning more, in seconds.
LOOK_EVERY_S, STEP_S = 5.0, 1.0
#: Assets whose retention one look ends at most.
AT_ONCE = 16
#: One bounded piece of something; whether there is more to do of it.
Piece = Callable[[], bool | None]


class AssetUpkeep:
    """A controller of a ticker of its own: content may lie with servers that answer slowly.

    Everything there is to do has its turn, a bounded piece at a time, so nothing large stops what
    is small.
    """

    def __init__(
        self,
        changes: Changes,
        uploads: Uploads,
        exports: Exports,
        moves: Moves,
        erasures: Erasures,
        resealing: Resealing,
        jobs: Jobs,
    ) -> None:
        self._changes = changes
        self._erasures = erasures
        self._resealing = resealing
        self._settled: dict[Action, Callable[[Intent], bool | None]] = {
            Action.STORE: uploads.settle,
            Action.EXPORT: exports.settle,
            Action.MOVE: moves.settle,
            Action.ERASE: erasures.settle,
            **dict.fromkeys(PURPOSES, jobs.settle),
        }
        self._pieces: dict[str, Piece] = {}
        self._turns: deque[str] = deque()
        self._looked_s: float | None = None

    def step(self) -> None:
        """Each by itself: the first that fails is raised once all had their turn."""
        now_s = self._changes.clock.monotonic()
        if self._looked_s is None or now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self._look()
        failures: list[Exception] = []
        while self._turns and self._changes.clock.monotonic() < now_s + STEP_S:
            name = self._turns.popleft()
            try:
                if self._pieces[name]():
                    self._turns.append(name)
            except Exception as error:  # noqa: BLE001 - one asset's fault must not stop the rest
                failures.append(error)
        if failures:
            raise failures[0]

    def _look(self) -> None:
        """What there is to do now: what is new has its turn before what had one."""
        unix_s = self._changes.clock.unix_us() // 1_000_000
        with self._changes.store.read() as transaction:
            intents = transaction.assets.intents()
            ended = transaction.assets.ended(unix_s, AT_ONCE)
        waiting = set(self._turns)
        self._pieces = {
            **{one.id: partial(self._settled[one.act], one) for one in intents},
            **{one.id: partial(self._erasures.retire, one) for one in ended},
            "older texts": self._resealing.step,
            "what went": self._erasures.forget,
        }
        known = [name for name in self._turns if name in self._pieces]
        self._turns = deque([*(name for name in self._pieces if name not in waiting), *known])
