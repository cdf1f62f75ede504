"""A runner whose table is asked for anew only where it may have changed.

While each process in it runs, none has ended and nothing was asked for, the table is as it was told
last: whoever looks at it often costs nobody anything.
"""

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock

from inland.adapters.processes.identity import start_ticks
from inland.ports.runner import EngineSpec, ProcessState, ProcessView, Runner


@dataclass(slots=True)
class _Table:
    """What was told, and what shows that one of it ended. Its owner closes it."""

    views: tuple[ProcessView, ...]
    descriptors: list[int]
    ends: select.poll

    def has_ended(self) -> bool:
        """Whether any process of it has."""
        return bool(self.ends.poll(0))

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)


class WatchedRunner:
    """`ports.Runner` over another, for the one process that asks it for anything. Threads may share
    it."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._lock = Lock()
        self._asked = 0
        self._table: _Table | None = None

    def set_engines(self, specs: tuple[EngineSpec, ...]) -> None:
        with self._asking():
            self._runner.set_engines(specs)

    def end(self, names: tuple[str, ...]) -> None:
        with self._asking():
            self._runner.end(names)

    def report_ready(self, name: str, pid: int, inland: str | None = None) -> None:
        with self._asking():
            self._runner.report_ready(name, pid, inland)

    def revive(self, name: str) -> None:
        with self._asking():
            self._runner.revive(name)

    def processes(self) -> tuple[ProcessView, ...]:
        with self._lock:
            if self._table is not None and not self._table.has_ended():
                return self._table.views
            self._forget()
            asked = self._asked
        views = self._runner.processes()
        table = _watched(views)
        with self._lock:
            if table is not None and asked == self._asked and self._table is None:
                self._table = table
            elif table is not None:
                table.close()
        return views

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """What was told before this began, or while it goes on, is not known any more."""
        self._change()
        try:
            yield
        finally:
            self._change()

    def _change(self) -> None:
        with self._lock:
            self._asked += 1
            self._forget()

    def _forget(self) -> None:
        """The caller holds the lock."""
        if self._table is not None:
            self._table.close()
            self._table = None


def _watched(views: tuple[ProcessView, ...]) -> _Table | None:
    """None where one of them does not run, or cannot be watched: it may change by itself."""
    if any(view.state is not ProcessState.RUNNING for view in views):
        return None
    table = _Table(views, [], select.poll())
    with suppress(OSError):
        for view in views:
            if view.pid is not None:
                table.descriptors.append(descriptor := os.pidfd_open(view.pid))
                table.ends.register(descriptor, select.POLLIN)
        if all(view.pid and start_ticks(view.pid) == view.start for view in views):
            return table
    table.close()
    return None
