"""An asset's content on its way: a few parts at a time, none of it held whole."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from inland.adapters.archive.recipient import seal_for
from inland.adapters.files import past_cache
from inland.adapters.files.clock import SystemClock
from inland.adapters.memory.pages import pages
from inland.cli import show
from inland.cli.failures import Failed
from inland.cli.files import replacing
from inland.cli.progress import bytes_bar
from inland.domain.errors import InlandError

if TYPE_CHECKING:
    from inland.client import FactoryClient

#: Requests under way at once, each of a few parts, and of an export the parts of each.
AT_ONCE, PARTS_HELD = 3, 4
#: Pause between two looks at a move, in seconds.
_LOOK_S = 0.2

_Done = TypeVar("_Done")


def uploaded(factory: "FactoryClient", path: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """The asset that a file became; parts that are there already are not sent again."""
    with path.open("rb") as file:
        word, size = _word(file), path.stat().st_size
        upload = factory.add_asset({**wanted, "bytes": size, "resume": word})
        asset, step, there = upload["id"], upload["part_bytes"], set(upload["received"])
        missing = [number for number in range(upload["parts"]) if number not in there]
        runs = list(_runs(missing, upload["parts_on_socket"]))

        def send(run: range) -> int:
            start, length = run[0] * step, _length(size, step, run)
            with suppress(EOFError):  # it has become shorter, which is looked at last
                factory.put_asset_parts(asset, run[0], file, start, length)
            return length

        with bytes_bar(f"Adding {path.name}") as advance:
            done = size - sum(_length(size, step, run) for run in runs)
            for length in _in_turn(send, runs):
                done += length
                advance(done, size)
        if _word(file) != word:
            factory.give_up_asset(asset)
            raise Failed(f"{path} was changed while it was added: add it again")
    return factory.finish_asset(asset)


def fetched(
    factory: "FactoryClient",
    asset: str,
    output: Path,
    destination: str | None,
    recipient: str | None,
) -> dict[str, Any]:
    """Content into a file, sealed for `recipient` where there is one; the file is there at last."""
    export = factory.export_asset(asset, {"destination": destination, "recipient": recipient or ""})
    size, step = export["bytes"], export["part_bytes"]
    at_once: int = min(export["parts_at_once"], PARTS_HELD)
    runs = _runs(range(export["parts"]), at_once)
    rooms = [pages(min(step * at_once, size)) for _ in range(AT_ONCE)]

    def fetch(run: range) -> memoryview:
        into = rooms[run[0] // at_once % AT_ONCE]  # what was there is done with
        return into[: factory.asset_parts(asset, export["id"], run, into)]

    with _given_up_unless_done(factory, asset, export["id"]), replacing(output) as file:

        def write(run: range) -> memoryview:
            data = fetch(run)
            past_cache.write_whole(file.fileno(), data, run[0] * step)
            return data

        def shown(contents: Iterator[memoryview]) -> Iterator[memoryview]:
            done = 0
            for data in contents:
                yield data
                done += len(data)
                advance(done, size)

        with bytes_bar(f"Exporting to {output.name}") as advance:
            if recipient is None:
                deque(shown(_in_turn(write, runs)), maxlen=0)
            else:
                seal_for(recipient, shown(_in_turn(fetch, runs)), file)
        told = factory.finish_export(asset, export["id"])
    sealed = recipient is not None
    return {"id": asset, "file": str(output), "bytes": size, "sealed": sealed, **told}


@contextmanager
def _given_up_unless_done(factory: "FactoryClient", asset: str, export: str) -> Iterator[None]:
    """An export that is cut here is under way no more; the books say that it was not done."""
    try:
        yield
    except BaseException:
        with suppress(InlandError):
            factory.give_up_export(asset, export)
        raise


def moved(factory: "FactoryClient", asset: str, to: str) -> dict[str, Any]:
    """How a move came out, once it did; what it waits for is said meanwhile. Raises Failed."""
    told, clock, said = factory.move_asset(asset, to), SystemClock(), ""
    with bytes_bar(f"Moving to {to}") as advance:
        while told["stage"] == "moving":
            if told["why"] != said:
                said = told["why"]
                show.note(f"{asset}: {said}; it is tried again")
            advance(told["done_bytes"], told["total_bytes"])
            clock.sleep(_LOOK_S)
            told = factory.asset_move(asset)
    if told["stage"] == "undone" and told["source"] != to:
        raise Failed(f"{asset} was not moved: {told['why']}")
    return told


def _word(file: BinaryIO) -> str:
    """What stays the same as long as a file does: which one it is, how long, and when changed."""
    told = os.fstat(file.fileno())
    facts = (told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)
    return "-".join(map(str, facts))


def _runs(numbers: Iterable[int], most: int) -> Iterator[range]:
    """Numbers that follow each other, at most so many together."""
    run = range(0)
    for number in numbers:
        if not run or number != run.stop or len(run) == most:
            if run:
                yield run
            run = range(number, number)
        run = range(run.start, number + 1)
    if run:
        yield run


def _length(size: int, step: int, run: range) -> int:
    """Bytes of the parts of a run."""
    return min(run.stop * step, size) - run.start * step


def _in_turn(work: Callable[[range], _Done], runs: Iterable[range]) -> Iterator[_Done]:
    """What `work` made of each run, in order, a few of them under way at once."""
    under_way: deque[Future[_Done]] = deque()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for run in runs:
                under_way.append(pool.submit(work, run))
                if len(under_way) >= AT_ONCE:
                    yield under_way.popleft().result()
            for made in under_way:
                yield made.result()
        finally:
            pool.shutdown(cancel_futures=True)
