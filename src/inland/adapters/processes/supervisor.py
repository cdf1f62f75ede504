"""Holds the lock and the listening sockets, keeps the children running, stops them in order.

It decides nothing else: which engines there are is control's to say. Its table is touched on one
event loop only; a thread per child does nothing but wait for its end.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inland import __version__
from inland.adapters.processes import listeners, lock
from inland.adapters.processes.child import Argv, Child, Launch, bootstrap_argv
from inland.adapters.processes.identity import own_identity
from inland.adapters.processes.logs import bound
from inland.adapters.processes.roles import CONTROL, ENGINE, GATEWAY, SUPERVISOR
from inland.adapters.processes.room import NO_ROOM_ERRORS, NO_ROOM_EXIT
from inland.adapters.processes.started import Started
from inland.adapters.processes.states import BackOff
from inland.adapters.processes.supervisor_socket import SupervisorSocket
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.ports.runner import EngineSpec, ProcessState, ProcessView

GATEWAYS_LIMIT = 64
ENGINES_LIMIT = 256
#: How often the children's logs are looked at.
LOGS_S = 30.0


@dataclass(frozen=True, slots=True)
class Grace:
    """Seconds each role gets to end by itself before it is killed: gateways to finish answers."""

    gateway_s: float = 30.0
    control_s: float = 15.0
    engine_s: float = 5.0

    def of(self, role: str) -> float:
        """The grace of `role`."""
        return {GATEWAY: self.gateway_s, CONTROL: self.control_s, ENGINE: self.engine_s}[role]


@dataclass(frozen=True, slots=True)
class StartLimits:
    """Seconds each role gets to become ready before it is killed; large weights take their time.

    Gateways live by what control tells them, and control tells of engines: their time is counted
    from when control was ready, if that came later, and not at all while it is not.
    """

    gateway_s: float = 60.0
    control_s: float = 300.0
    engine_s: float = 600.0

    def of(self, role: str) -> float:
        """The limit of `role`."""
        return {GATEWAY: self.gateway_s, CONTROL: self.control_s, ENGINE: self.engine_s}[role]


@dataclass(frozen=True, slots=True)
class Config:
    """What one supervisor runs. `port` 0 picks a free one. `environment` is the children's.

    `listening`: what all but engines are told of how callers reach them.
    `lifeline_fd`: stop when it closes (a foreground `inland up` holds its other end).
    """

    home: Path
    port: int
    gateways: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    argv: Argv = bootstrap_argv
    back_off: BackOff = field(default_factory=BackOff)
    grace: Grace = field(default_factory=Grace)
    start_limits: StartLimits = field(default_factory=StartLimits)
    lifeline_fd: int | None = None
    address: str = listeners.LISTEN_ADDRESS
    listening: str | None = None


def run(config: Config, started: Callable[[Started], None] = lambda _: None) -> None:
    """Run a factory's processes until told to stop (SIGTERM, SIGINT or a `stop` request).

    Calls `started` once. Raises Conflict when the home or the port is taken, OSError when the
    machine refuses; then nothing was started.
    """
    supervisor = Supervisor(config)
    try:
        asyncio.run(supervisor.run(started, signals=True))
    finally:
        supervisor.close()


class Supervisor:
    """One factory's children. The constructor takes the lock and the port; `close` lets them go."""

    def __init__(self, config: Config) -> None:
        if not 1 <= config.gateways <= GATEWAYS_LIMIT:
            raise BadInput("gateways", f"must be between 1 and {GATEWAYS_LIMIT}")
        self._config = config
        self._run = config.home / "run"
        self._logs = config.home / "logs"
        self._children: dict[str, Child] = {}
        self._listeners: dict[str, socket.socket] = {}
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        with contextlib.ExitStack() as undo:
            self._lock_fd = lock.take(self._run / "lock")
            undo.callback(os.close, self._lock_fd)
            self.port = listeners.prove_free(config.port, config.address)
            self._lifeline_r, self._lifeline_w = os.pipe()
            undo.callback(os.close, self._lifeline_r)
            undo.callback(os.close, self._lifeline_w)
            undo.callback(self._close_listeners)
            for number in range(config.gateways):
                name = f"{GATEWAY}-{number}"
                self._listeners[name] = listeners.open_listener(self.port, config.address)
            self._undo = undo.pop_all()

    def close(self) -> None:
        """Close the lifeline, the sockets and the lock. Children that still live end by it."""
        self._undo.close()

    async def run(self, started: Callable[[Started], None], *, signals: bool = False) -> None:
        """Start the children, serve requests, restart what dies; return once all are stopped."""
        self._loop = asyncio.get_running_loop()
        if signals:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                self._loop.add_signal_handler(number, self._stopping.set)
        if self._config.lifeline_fd is not None:
            self._loop.add_reader(self._config.lifeline_fd, self._foreground_gone)
        async with SupervisorSocket(self._run / "supervisor.sock", self):
            self._add(Child(CONTROL, CONTROL, self._log(CONTROL)))
            for index, name in enumerate(self._listeners):
                self._add(Child(name, GATEWAY, self._log(name), index=index))
            pid, start = own_identity()
            started(Started(pid, start, self.port))
            self._bound_logs()
            await self._stopping.wait()
            await self._stop_all()

    # What the socket asks. Each runs on the event loop.

    def processes(self) -> tuple[ProcessView, ...]:
        """The supervisor's row and every child's."""
        pid, start = own_identity()
        own = ProcessView(
            SUPERVISOR, SUPERVISOR, ProcessState.RUNNING, pid, start, 0, inland=__version__
        )
        return (own, *(child.view() for child in self._children.values()))

    def set_engines(self, specs: tuple[EngineSpec, ...]) -> None:
        """Make exactly these engines run: others are ended, changed ones replaced."""
        self._refuse_when_stopping()
        if len(specs) > ENGINES_LIMIT:
            raise BadInput("specs", f"at most {ENGINES_LIMIT} engines")
        wanted = {f"{ENGINE}-{spec.replica}": spec for spec in specs}
        if len(wanted) != len(specs):
            raise BadInput("specs", "two engines have the same replica id")
        for name, child in list(self._children.items()):
            if child.role == ENGINE and child.wanted != wanted.get(name):
                child.wanted = wanted.get(name)
                if not child.moved():
                    self._retire(child)
        for name, spec in wanted.items():
            if name not in self._children:
                self._add(Child(name, ENGINE, self._log(name), spec=spec, wanted=spec))

    def end(self, names: tuple[str, ...]) -> None:
        """Kill these engines: what they hold must be in no memory any more. They are gone once
        the table does not show them."""
        for name in names:
            child = self._children.get(name)
            if child is None or child.role != ENGINE:
                continue
            child.wanted, child.leaving = None, True
            if child.process is None:
                self._left(child)
            else:
                child.signal(signal.SIGKILL)

    def report_ready(self, name: str, pid: int, inland: str | None = None) -> None:
        """Note that `name` works, when `pid` is its present life."""
        child = self._child(name)
        if child.process is None or child.process.pid != pid:
            raise Conflict(name, f"pid {pid} is not its present process")
        if child.life.state is ProcessState.STARTING and child.overdue is None:
            child.life, child.inland = child.life.ready(), inland
            child.ready_s = self._now_s()

    def revive(self, name: str) -> None:
        """Start again a child that was given up."""
        self._refuse_when_stopping()
        child = self._child(name)
        if child.life.state is not ProcessState.FAILED:
            raise Conflict(name, f"is {child.life.state}; only a failed process can be revived")
        if child.role == GATEWAY and name not in self._listeners:
            self._listeners[name] = listeners.open_listener(self.port, self._config.address)
        child.life = child.life.revived()
        self._spawn(child)

    def stop(self) -> None:
        """Begin to stop; the lock is free when it is done."""
        self._stopping.set()

    # The life of a child.

    def _child(self, name: str) -> Child:
        child = self._children.get(name)
        if child is None:
            raise NotFound(f"process {name}")
        return child

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _bound_logs(self) -> None:
        """Now and every `LOGS_S`, so that no life is so long that its log fills the disk."""
        assert self._loop is not None
        with contextlib.suppress(OSError):
            bound(self._log(SUPERVISOR))
            for child in self._children.values():
                if bound(child.log):
                    child.log_start = 0
        self._loop.call_later(LOGS_S, self._bound_logs)

    def _add(self, child: Child) -> None:
        self._children[child.name] = child
        self._spawn(child)

    def _spawn(self, child: Child) -> None:
        listener = self._listeners.get(child.name)
        listen_fd = listener.fileno() if listener else None
        launch = Launch(
            child.name,
            child.role,
            self._config.home,
            self._lifeline_r,
            listen_fd,
            child.spec,
            index=child.index,
            gateways=self._config.gateways,
            first=child.lives == 0,
            listening=None if child.role == ENGINE else self._config.listening,
        )
        fds = tuple(fd for fd in (self._lifeline_r, self._lock_fd, listen_fd) if fd is not None)
        try:
            child.spawn(self._config.argv(launch), fds, self._config.environment)
        except OSError as error:
            child.process = None
            why = f"could not be started: {error}"
            self._note_end(child, why, no_room=error.errno in NO_ROOM_ERRORS)
            return
        child.on_end(lambda process, status: self._tell_end(child, process, status))
        child.spawned_s, child.overdue = self._now_s(), None
        self._judge_later(child, child.spawned_s)

    def _tell_end(self, child: Child, process: "subprocess.Popen[bytes]", status: int) -> None:
        """On the waiting thread. A closed loop means the supervisor itself is ending."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ended, child, process, status)

    def _ended(self, child: Child, process: "subprocess.Popen[bytes]", status: int) -> None:
        if child.process is not process:
            return
        why = child.describe_end(status)
        child.process, child.start = None, None
        child.gone.set()
        if child.leaving:
            self._left(child)
        else:
            self._note_end(child, why, no_room=status == NO_ROOM_EXIT)

    def _now_s(self) -> float:
        assert self._loop is not None
        return self._loop.time()

    def _judge_later(self, child: Child, since_s: float) -> None:
        assert self._loop is not None
        due_s = since_s + self._config.start_limits.of(child.role)
        self._loop.call_at(due_s, self._judge_start, child, child.process)

    def _judge_start(self, child: Child, process: "subprocess.Popen[bytes] | None") -> None:
        """Kill a child that hangs before it works: a start like any other that came to nothing."""
        if child.process is not process or child.life.state is not ProcessState.STARTING:
            return
        limit_s, since_s = self._config.start_limits.of(child.role), child.spawned_s
        control = self._children[CONTROL]
        if child is not control:
            works = control.life.state is ProcessState.RUNNING
            since_s = max(since_s, control.ready_s if works else self._now_s())
        if self._now_s() < since_s + limit_s:
            self._judge_later(child, since_s)
            return
        child.overdue = f"not ready within {limit_s:g} s"
        child.signal(signal.SIGKILL)

    def _note_end(self, child: Child, why: str, *, no_room: bool) -> None:
        assert self._loop is not None
        life = child.life
        if no_room:
            again_s = self._config.back_off.room_s
            why = f"no room on the disk, or it takes no writes: tried each {again_s:g} s; {why}"
        ended = life.found_no_room if no_room else life.ended
        child.life = ended(why, self._now_s(), self._config.back_off)
        if child.life.state is ProcessState.FAILED:
            self._close_listener(child.name)
        else:
            self._loop.call_at(child.life.due_s, self._restart, child)

    def _restart(self, child: Child) -> None:
        if child.life.state is ProcessState.BACKING_OFF and not self._stopping.is_set():
            child.life = child.life.restarted()
            self._spawn(child)

    # Ending a child on purpose.

    def _retire(self, child: Child) -> None:
        """End an engine that is not wanted as it is; `_left` goes on when it is gone."""
        if child.leaving:
            return
        child.leaving = True
        if child.process is None:
            self._left(child)
            return
        task = asyncio.create_task(self._end(child))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _left(self, child: Child) -> None:
        """An engine that was ended is gone: forget it, or start what replaces it."""
        child.life = child.life.stopped()
        if child.role == ENGINE:
            del self._children[child.name]
            if child.wanted is not None and not self._stopping.is_set():
                spec = child.wanted
                self._add(Child(child.name, ENGINE, child.log, spec=spec, wanted=spec))

    async def _end(self, child: Child) -> None:
        """Ask it to end, kill it when its grace is over, and see it gone."""
        process = child.process
        if process is None:
            return
        child.leaving = True
        child.signal(signal.SIGTERM)
        if not await self._gone(child, process, self._config.grace.of(child.role)):
            child.signal(signal.SIGKILL)
            await self._gone(child, process, self._config.grace.of(child.role))

    async def _gone(self, child: Child, process: "subprocess.Popen[bytes]", limit_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await child.gone.wait()
        return child.process is not process

    async def _stop_all(self) -> None:
        """Gateways first, so that answers under way are finished and booked; engines last."""
        for role in (GATEWAY, CONTROL, ENGINE):
            leaving = [child for child in self._children.values() if child.role == role]
            await asyncio.gather(*(self._end(child) for child in leaving))
            if role == GATEWAY:
                self._close_listeners()

    def _foreground_gone(self) -> None:
        assert self._loop is not None
        assert self._config.lifeline_fd is not None
        self._loop.remove_reader(self._config.lifeline_fd)
        self._stopping.set()

    def _refuse_when_stopping(self) -> None:
        if self._stopping.is_set():
            raise Conflict("the factory", "is stopping")

    def _close_listener(self, name: str) -> None:
        """Callers of a gateway that was given up are refused at once instead of left to wait."""
        listener = self._listeners.pop(name, None)
        if listener is not None:
            listener.close()

    def _close_listeners(self) -> None:
        for name in list(self._listeners):
            self._close_listener(name)
