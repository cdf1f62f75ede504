"""The room of batches, put together over the plant."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from inland.batches.asking import Asking
from inland.batches.batches import Batches
from inland.batches.keys import BatchKeys
from inland.batches.output import Output
from inland.batches.work import Worker
from inland.domain.limits import Limits
from inland.lines.reading import Readers
from inland.plant.asset_room import AssetRoom
from inland.plant.changes import Changes
from inland.plant.ticker import Controller
from inland.ports.tokens import Passing


@dataclass(frozen=True, slots=True)
class BatchRoom:
    """The batches of one factory, and their controller."""

    batches: Batches
    worker: Worker

    def controllers(self) -> Iterator[Controller]:
        """For the plant's ticker."""
        yield Controller("batches", self.worker.step, self.worker.rests)


def batch_room(
    changes: Changes,
    assets: AssetRoom,
    readers: Readers,
    tokens: Passing,
    limits: Limits,
    begin: Callable[[Callable[[], None]], None],
) -> BatchRoom:
    """`begin` runs what takes long on a thread of its own."""
    keys = BatchKeys(changes, limits.keys)
    asking = Asking(changes, assets.texts, tokens, keys, limits.batch_at_once)
    output = Output(changes, assets.uploads, asking, keys)
    worker = Worker(changes, readers, asking, output, keys, limits, begin)
    return BatchRoom(Batches(changes, assets.files, assets.rulings, limits, worker.stop), worker)
