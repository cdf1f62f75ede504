"""A child's life as data: which moves there are, and when a dead one starts again. Pure."""

from dataclasses import dataclass, replace

from inland.ports.runner import ProcessState

#: Allowed moves of a child. `STOPPED` is the end: a revived child was `FAILED`, not `STOPPED`.
PROCESS_LIFE: dict[ProcessState, frozenset[ProcessState]] = {
    ProcessState.STARTING: frozenset(
        {
            ProcessState.RUNNING,
            ProcessState.BACKING_OFF,
            ProcessState.FAILED,
            ProcessState.STOPPED,
        }
    ),
    ProcessState.RUNNING: frozenset({ProcessState.BACKING_OFF, ProcessState.STOPPED}),
    ProcessState.BACKING_OFF: frozenset({ProcessState.STARTING, ProcessState.STOPPED}),
    ProcessState.FAILED: frozenset({ProcessState.STARTING, ProcessState.STOPPED}),
    ProcessState.STOPPED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class BackOff:
    """`delays_s`: seconds to wait after the first, second … start in a row that never became
    ready; one more such start and the child is given up. After one that was ready: none.
    `room_s`: seconds to wait after one that found no room on the disk, however often.
    """

    delays_s: tuple[float, ...] = (0.0, 0.5)
    room_s: float = 5.0

    def delay_s(self, unready: int) -> float | None:
        """Seconds to wait after `unready` such starts in a row; None: give it up."""
        if unready == 0:
            return 0.0
        return self.delays_s[unready - 1] if unready <= len(self.delays_s) else None


@dataclass(frozen=True, slots=True)
class Life:
    """Where a child is. `unready`: starts in a row that ended before it was ready; `due_s`: the
    monotonic time of its next start while backing off; `why`: how its last life ended."""

    state: ProcessState = ProcessState.STARTING
    unready: int = 0
    restarts: int = 0
    due_s: float = 0.0
    why: str | None = None

    def ready(self) -> "Life":
        """It works: its back-off starts over."""
        if self.state is ProcessState.RUNNING:
            return self
        return self._move(ProcessState.RUNNING, unready=0)

    def ended(self, why: str, now_s: float, back_off: BackOff) -> "Life":
        """Its process is gone: wait for the next start, or give it up."""
        unready = 0 if self.state is ProcessState.RUNNING else self.unready + 1
        delay_s = back_off.delay_s(unready)
        if delay_s is None:
            return self._move(ProcessState.FAILED, unready=unready, why=why)
        due_s = now_s + delay_s
        return self._move(ProcessState.BACKING_OFF, unready=unready, due_s=due_s, why=why)

    def found_no_room(self, why: str, now_s: float, back_off: BackOff) -> "Life":
        """It found the disk full: that passes, so it is tried again and never given up."""
        return self._move(ProcessState.BACKING_OFF, due_s=now_s + back_off.room_s, why=why)

    def restarted(self) -> "Life":
        """The wait is over: a new process is being started."""
        return self._move(ProcessState.STARTING, restarts=self.restarts + 1)

    def revived(self) -> "Life":
        """Someone asked for a child that was given up: it gets all its tries again."""
        return self._move(ProcessState.STARTING, unready=0, restarts=self.restarts + 1)

    def stopped(self) -> "Life":
        """It is no longer wanted and is gone."""
        return self._move(ProcessState.STOPPED)

    def _move(self, state: ProcessState, **changes: object) -> "Life":
        assert state in PROCESS_LIFE[self.state], f"{self.state} does not lead to {state}"
        return replace(self, state=state, **changes)  # type: ignore[arg-type]  # fields of Life
