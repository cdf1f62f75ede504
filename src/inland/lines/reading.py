"""Assets read for runs: by programs of ours, each in a cell of its own, which see nothing else.

What a tenant wrote is parsed there and nowhere near the keys; only what a program says comes back,
or writes to memory that it was given for that. Who may not read any more what it reads is ended, as
jobs are.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any

from inland.domain.assets import ASSET, Action
from inland.domain.errors import BadInput, Conflict, Denied, InlandError, NotFound
from inland.plant.asset_rulings import AssetRulings
from inland.plant.assets import demand_live
from inland.plant.changes import Changes
from inland.plant.holders import Holders
from inland.plant.killed import Killed, demand_released
from inland.ports.assets import AssetRow
from inland.ports.jobs import Cell, Cells, Hear, JobEnd, JobSpec
from inland.ports.plaintext import Memory, Plaintext

#: What is kept of what a program says, how long it may take, and then to end by itself.
OUTPUT_BYTES, SECONDS, GRACE_S = 64 << 20, 1800, 1
#: Programs that may be killed one after another before what they read is given up.
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Use:
    """An asset that is read, and for what."""

    asset: str
    purpose: Action


@dataclass(frozen=True, slots=True)
class Program:
    """What is begun: its words, and what it may read besides the system's files."""

    words: tuple[str, ...]
    readable: tuple[str, ...]


class _Reading:
    """One program that runs. `ending`: why it is ended."""

    def __init__(self, run: str, tenant: str, uses: Sequence[Use]) -> None:
        self.run = run
        self.tenant = tenant
        self.uses = tuple(uses)
        self.cell: Cell | None = None
        self.ending = ""
        self.released = Event()


class Readers:
    """The programs that read for runs under way. Threads may share it."""

    def __init__(
        self,
        changes: Changes,
        rulings: AssetRulings,
        holders: Holders,
        cells: Cells,
        memory: Memory,
        program: Program,
        memory_bytes: int,
    ) -> None:
        """`memory_bytes`: what a program and all it starts may hold."""
        self._changes = changes
        self._rulings = rulings
        self._holders = holders
        self._cells = cells
        self._memory = memory
        self._program = program
        self._memory_bytes = memory_bytes
        self._lock = Lock()
        self._readings: list[_Reading] = []
        holders.know(self)

    def read(
        self,
        run: str,
        tenant: str,
        uses: Sequence[Use],
        words: Sequence[str],
        more: Mapping[str, bytes] | None = None,
    ) -> Any:
        """What the program, begun with `words`, says of the assets: `asset:ID` among the words is
        where one lies, `asset:NAME` where some of `more` does. One that is killed is begun again.

        Raises Denied, NotFound, Conflict, Busy, and what the vault does; BadInput for what the
        program could not take.
        """
        bounds = (OUTPUT_BYTES, SECONDS, GRACE_S, self._memory_bytes)
        command = (*self._program.words, *words)
        with ExitStack() as held:
            files = {}
            for name, data in (more or {}).items():
                files[name] = self._memory.hold(len(data), [data])
                held.callback(files[name].close)
            spec = JobSpec(run, command, self._program.readable, *bounds)
            with self._reading(spec, tenant, uses) as reading:
                end = self._ended(reading, spec, files, None)
                left = ATTEMPTS - 1
                while end.killed and left and not reading.ending:
                    end = self._ended(reading, spec, files, None)
                    left -= 1
            return _said(end)

    def work(
        self,
        tenant: str,
        uses: Sequence[Use],
        spec: JobSpec,
        more: Mapping[str, Plaintext],
        hear: Hear | None = None,
    ) -> JobEnd:
        """How it ended, for the run that `spec` names: a program begun with `uses`, and `more` that
        is in memory already, in files by their ids. `hear`: as `Cell.wait` says.

        Raises what `read` does, and what `hear` does; Conflict where it was ended, which says why.
        """
        with self._reading(spec, tenant, uses) as reading:
            return self._ended(reading, spec, more, hear)

    def kill_those_denied(self) -> list[Killed]:
        """As `holders.Working` says."""
        with self._lock:
            held = list(self._readings)
        denied = [(reading, why) for reading in held if (why := self._why_not(reading))]
        return [self._kill(reading, why) for reading, why in denied]

    def holds(self) -> bool:
        """As `holders.Working` says."""
        return bool(self._readings)

    def end(self, run: str, why: str) -> None:
        """Nothing is read for a run any more when it returns."""
        with self._lock:
            held = [one for one in self._readings if one.run == run]
        killed = [self._kill(reading, why) for reading in held]
        demand_released(killed, self._changes.clock)

    @contextmanager
    def _reading(self, spec: JobSpec, tenant: str, uses: Sequence[Use]) -> Iterator[_Reading]:
        """It can be ended from here to the end of the block, which raises Conflict where it was."""
        if self._cells.isolation == "none":
            why = "this kernel cannot shut in what reads a tenant's data: see inland doctor"
            raise Conflict("the run", why)
        reading = _Reading(spec.job, tenant, uses)
        with self._lock:
            self._readings.append(reading)
        try:
            yield reading
        except InlandError:
            _demand_going(reading)  # which says more than what came of its end
            raise
        finally:
            reading.released.set()
            with self._lock:
                self._readings.remove(reading)
        _demand_going(reading)

    def _ended(
        self, reading: _Reading, spec: JobSpec, more: Mapping[str, Plaintext], hear: Hear | None
    ) -> JobEnd:
        rows = self._decided(reading)
        with ExitStack() as held:
            opened = self._holders.opened(rows, lambda: _demand_going(reading))
            files = dict(zip((row.id for row in rows), opened, strict=True))
            for file in files.values():
                held.callback(file.close)
            with self._lock:
                if reading.ending:
                    return JobEnd(None, reading.ending, bytearray(), 0)
                reading.cell = cell = self._cells.begin(spec, {**files, **more})
        if why := self._why_not(reading):  # decided again, once it can be ended
            self._kill(reading, why)
        return cell.wait(hear)

    def _decided(self, reading: _Reading) -> list[AssetRow]:
        with self._changes.store.read() as transaction:
            found = {row.id: row for row in transaction.assets.some(_ids(reading))}
        rows: dict[str, AssetRow] = {}
        for use in reading.uses:
            if use.asset not in found:
                raise NotFound(f"asset {use.asset!r}")
            demand_live(found[use.asset])
            self._rulings.demand_for(reading.tenant, use.purpose, found[use.asset])
            rows[use.asset] = found[use.asset]
        return list(rows.values())

    def _why_not(self, reading: _Reading) -> str:
        with self._changes.store.read() as transaction:
            tenant = transaction.state.tenant(reading.tenant)
        if tenant is None or tenant.withdrawn:
            return f"{reading.tenant} has withdrawn its keys"
        try:
            self._decided(reading)
        except (Conflict, Denied, NotFound) as error:
            return str(error)
        return ""

    def _kill(self, reading: _Reading, why: str) -> Killed:
        with self._lock:
            reading.ending = reading.ending or why
            cell = reading.cell
        if cell is not None:
            cell.end()
        return Killed(f"run {reading.run}", reading.released)


def place(asset: str) -> str:
    """How a word names where an asset lies for the program."""
    return f"{ASSET}{asset}"


def _ids(reading: _Reading) -> list[str]:
    return list(dict.fromkeys(use.asset for use in reading.uses))


def _demand_going(reading: _Reading) -> None:
    """Raises Conflict with why it was ended."""
    if reading.ending:
        raise Conflict(f"run {reading.run}", reading.ending)


def _said(end: JobEnd) -> Any:
    """The program's last line, which is JSON: what it found, or `refused` and why."""
    whole = end.printed_bytes == len(end.output)
    if end.status != 0 or not whole:
        why = end.why or (f"it ended with {end.status}" if whole else "it said too much")
        raise Conflict("reading the run's assets", why)
    try:
        told = json.loads(bytes(end.output).rstrip().rpartition(b"\n")[2])
    except ValueError:
        raise Conflict("reading the run's assets", "what was said of them is no JSON") from None
    finally:
        end.output[:] = bytes(len(end.output))
    if isinstance(told, dict) and "refused" in told:
        raise BadInput(str(told.get("field", "data")), str(told["refused"]))
    return told
