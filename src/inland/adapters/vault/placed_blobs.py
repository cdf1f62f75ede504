"""`ports.stores`: several blob stores as one, an asset in the one where the books say it is.

Each is opened when it is first used, on a thread of its own: one that cannot be, or not in time, is
away, and the others are not.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from threading import Lock, Thread

from inland.adapters.vault.sealed_vault import PARTS, blob_name, blob_names, unreadable
from inland.domain.places import Place
from inland.ports.blobs import Blobs, BlobsAway
from inland.ports.vault import PartName

#: The stores that something of an asset may lie in, the one it is read from first; none for an
#: asset that is on no books.
Lies = Callable[[str], tuple[str, ...]]
#: How long a store may take to be opened before it is away, in seconds.
OPENED_S = 20.0


@dataclass(frozen=True, slots=True)
class Placed:
    """A store: where it stands, and what opens it."""

    place: Place
    open: Callable[[], Blobs]


class PlacedBlobs:
    """The stores of one factory, by the ids of their places. Threads may share it."""

    def __init__(
        self, stores: Mapping[str, Placed], lies: Lies, opened_s: float = OPENED_S
    ) -> None:
        """The first of `stores` is where new content goes."""
        self.places = {name: placed.place for name, placed in stores.items()}
        self._stores = stores
        self._lies = lies
        self._opened_s = opened_s
        self._opened: dict[str, Blobs] = {}
        self._opening: dict[str, Future[Blobs]] = {}
        self._lock = Lock()  # over both of these, and never while a store is asked

    def demand(self) -> None:
        away = []
        for store in self._stores:
            try:
                with self._asking(store) as blobs:
                    blobs.demand()
            except BlobsAway as error:
                away.append(error.why)
        if away:
            raise BlobsAway("; ".join(away))

    def put(self, name: str, data: bytes | bytearray | memoryview) -> None:
        store = self._where(name)[0]
        with self._asking(store) as blobs:
            blobs.put(name, data)

    def get(self, name: str) -> memoryview | None:
        store = self._where(name)[0]
        found = self._get(store, name)
        if found is None:
            now = (self._lies(_asset(name)) or (store,))[0]  # it may have been moved meanwhile
            found = None if now == store else self._get(now, name)
        return found

    def may_err(self, name: str) -> bool:
        with self._asking(self._where(name)[0]) as blobs:
            return blobs.may_err(name)

    def remove(self, name: str) -> None:
        for store in self._where(name):
            with self._asking(store) as blobs:
                blobs.remove(name)

    def names(self, under: str = "") -> Iterator[str]:
        last = None
        stores = self._where(under) if under.count("/") > 1 else tuple(self._stores)
        for name in merge(*(self._names(store, under) for store in stores)):
            if name != last:
                yield name
            last = name

    def copy(
        self, part: PartName, is_whole: Callable[[memoryview], bool], source: str, target: str
    ) -> None:
        name = blob_name(part.asset, part.number)
        there = self._get(target, name)
        if there is not None and is_whole(there):
            return
        with self._asking(source) as blobs:
            sealed = blobs.get(name)
            if sealed is None or not is_whole(sealed):
                if blobs.may_err(name):
                    raise BlobsAway("it shows something else than it was given")
                raise unreadable(part)
        with self._asking(target) as blobs:
            blobs.put(name, sealed)
            there = blobs.get(name)
            if there is None or bytes(there) != bytes(sealed):
                raise BlobsAway("it shows something else than it just took")

    def clear(self, store: str, asset: str, numbers: Iterable[int]) -> None:
        with self._asking(store) as blobs:
            for name in blob_names(blobs, asset, numbers):
                blobs.remove(name)
            if blob_names(blobs, asset, ()):
                raise BlobsAway("it shows what it just removed")

    def holds(self, store: str) -> Iterator[str]:
        last = ""
        for name in self._names(store, f"{PARTS}/"):
            asset = _asset(name)
            if asset != last:
                yield asset
            last = asset

    def _where(self, name: str) -> tuple[str, ...]:
        """Where something of that name may lie, by the books; of what is on none, anywhere."""
        return self._lies(_asset(name)) or tuple(self._stores)

    def _get(self, store: str, name: str) -> memoryview | None:
        with self._asking(store) as blobs:
            return blobs.get(name)

    def _names(self, store: str, under: str) -> Iterator[str]:
        with self._asking(store) as blobs:
            yield from blobs.names(under)

    @contextmanager
    def _asking(self, store: str) -> Iterator[Blobs]:
        """Whatever its disk says, a store that cannot be used is away, by its name."""
        try:
            yield self._open(store)
        except BlobsAway as away:
            raise BlobsAway(f"{store}: {away.why}") from None
        except OSError as error:
            raise BlobsAway(f"{store}: {error}") from None

    def _open(self, store: str) -> Blobs:
        with self._lock:
            if store in self._opened:
                return self._opened[store]
            if store not in self._stores:
                raise BlobsAway("[[vault.store]] in factory.toml does not name it")
            opening = self._opening.get(store) or self._begin_to_open(store)
        if not wait((opening,), self._opened_s).done:
            raise BlobsAway(f"it could not be opened within {self._opened_s:g} s")
        return opening.result()

    def _begin_to_open(self, store: str) -> Future[Blobs]:
        """Under the lock. One that failed is begun anew by the next who wants it."""
        opening: Future[Blobs] = Future()

        def run() -> None:
            try:
                blobs = self._stores[store].open()
            except BaseException as error:  # noqa: BLE001 - told to all who wait for it
                with self._lock:
                    del self._opening[store]
                opening.set_exception(error)
            else:
                with self._lock:
                    self._opened[store] = blobs
                    del self._opening[store]
                opening.set_result(blobs)

        Thread(target=run, name=f"open-{store}", daemon=True).start()
        self._opening[store] = opening
        return opening


def _asset(name: str) -> str:
    """Whose blob it is: `parts/ASSET/NUMBER`; of any other name, nobody's."""
    return name.partition("/")[2].partition("/")[0]
