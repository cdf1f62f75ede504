"""What assets need beside what is asked of them: what was cut is finished or undone, what its
retention is over for is erased."""

from collections.abc import Callable
from functools import partial

from inland.domain.assets import Action
from inland.plant.changes import Changes
from inland.plant.erasing import Erasing
from inland.plant.exports import Exports
from inland.plant.moves import Moves
from inland.plant.uploads import Uploads
from inland.ports.assets import Intent

#: Pause between two looks, in seconds, and assets that one look ends at most.
LOOK_EVERY_S, AT_ONCE = 5.0, 16


class AssetUpkeep:
    """A controller of the ticker: at start at once, then every few seconds."""

    def __init__(
        self,
        changes: Changes,
        uploads: Uploads,
        exports: Exports,
        moves: Moves,
        erasing: Erasing,
    ) -> None:
        self._changes = changes
        self._erasing = erasing
        self._settled: dict[Action, Callable[[Intent], None]] = {
            Action.STORE: uploads.settle,
            Action.EXPORT: exports.settle,
            Action.MOVE: moves.settle,
            Action.ERASE: erasing.settle,
        }
        self._looked_s: float | None = None

    def step(self) -> None:
        """Each thing by itself: the first that fails is raised once all had their turn."""
        now_s = self._changes.clock.monotonic()
        if self._looked_s is not None and now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        unix_s = self._changes.clock.unix_us() // 1_000_000
        with self._changes.store.read() as transaction:
            intents = transaction.assets.intents()
            ended = transaction.assets.ended(unix_s, AT_ONCE)
        work: list[Callable[[], None]] = [
            *(partial(self._settled[intent.act], intent) for intent in intents),
            *(partial(self._erasing.retire, row) for row in ended),
        ]
        failures: list[Exception] = []
        for each in work:
            try:
                each()
            except Exception as error:  # noqa: BLE001 - one asset's fault must not stop the rest
                failures.append(error)
        if failures:
            raise failures[0]
