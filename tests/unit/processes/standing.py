"""A real supervisor over stand-in children, whose behaviour a file in the home says."""

import asyncio
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from inland.adapters.processes.child import Launch
from inland.adapters.processes.client import SupervisorClient
from inland.adapters.processes.started import Started
from inland.adapters.processes.states import BackOff
from inland.adapters.processes.supervisor import Config, Grace, StartLimits, Supervisor
from inland.ports.runner import EngineSpec, ProcessState, ProcessView
from tests.patience import PATIENCE_S, until

#: Reads how to behave from `behave-NAME`: work, mute (never ready), die, deaf (ignores SIGTERM),
#: busy (no other thread of it runs, once it works).
CHILD = """
import ctypes, os, signal, socket, sys, threading
from pathlib import Path
from inland.adapters.processes.client import SupervisorClient
from inland.adapters.processes.lifeline import end_with_supervisor
home, name, lifeline, listen = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
how = home / f"behave-{name}"
how = how.read_text() if how.exists() else "work"
if how == "die":
    sys.exit("it cannot go on\\n")
end_with_supervisor(lifeline)
told = home / "told"
if how == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
if how != "mute":
    SupervisorClient(home / "run" / "supervisor.sock").report_ready(name, os.getpid())
if how == "busy":
    ctypes.PyDLL(None).sleep(1000)
def answer():
    listener = socket.socket(fileno=listen)
    listener.setblocking(True)
    while True:
        caller, _ = listener.accept()
        caller.sendall(str(os.getpid()).encode())
        caller.close()
if listen >= 0:
    threading.Thread(target=answer, daemon=True).start()
if how == "deaf":
    threading.Event().wait()
signal.sigwait({signal.SIGTERM})  # a handler would not run where the signal comes before an accept
with told.open("a") as file:
    file.write(f"{name}\\n")
os._exit(0)
"""
QUICK = BackOff((0.0, 0.01))
#: What a child gets to end by itself: as long as it likes, but for a test about just that.
PATIENT = Grace(gateway_s=PATIENCE_S, control_s=PATIENCE_S, engine_s=PATIENCE_S)


def stand_in(launch: Launch) -> list[str]:
    """The argument list of a stand-in."""
    listen = -1 if launch.listen_fd is None else launch.listen_fd
    facts = [str(launch.home), launch.name, str(launch.lifeline_fd), str(listen)]
    return [sys.executable, "-c", CHILD, *facts]


def environment() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}


def config(
    home: Path,
    port: int = 0,
    gateways: int = 1,
    limits: StartLimits | None = None,
    grace: Grace = PATIENT,
) -> Config:
    (home / "run").mkdir(exist_ok=True)
    (home / "logs").mkdir(exist_ok=True)
    return Config(
        home, port, gateways, environment(), stand_in, QUICK, grace, limits or StartLimits()
    )


class Standing:
    """A supervisor on a thread of its own, asked over its socket."""

    def __init__(self, settings: Config) -> None:
        self.home = settings.home
        self.client = SupervisorClient(self.home / "run" / "supervisor.sock")
        self._settings = settings
        self._supervisor = Supervisor(settings)
        self.port = self._supervisor.port
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._up.wait(PATIENCE_S)

    def _run(self) -> None:
        def started(_: Started) -> None:
            self._up.set()

        try:
            asyncio.run(self._supervisor.run(started))
        finally:
            self._supervisor.close()

    def view(self, name: str) -> ProcessView | None:
        return {view.name: view for view in self.client.processes()}.get(name)

    def pid(self, name: str) -> int:
        view = self.view(name)
        assert view is not None
        assert view.pid is not None
        return view.pid

    def until(self, name: str, state: ProcessState) -> ProcessView:
        """The process once it is in that state."""
        until(lambda: getattr(self.view(name), "state", None) is state)
        view = self.view(name)
        assert view is not None
        return view

    def kill(self, name: str) -> int:
        """`kill -9` it; returns once another life of it works."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)

        def lives_again() -> bool:
            view = self.view(name)  # one look: between two it may have died
            return works(view) and view is not None and view.pid not in {pid, None}

        until(lives_again)
        return self.pid(name)

    def behave(self, name: str, how: str) -> None:
        """How its next life behaves."""
        (self.home / f"behave-{name}").write_text(how)

    def give_time(self, **limits: float) -> None:
        """From now on a start has the usual limits, but for these."""
        self._supervisor._config = replace(self._settings, start_limits=StartLimits(**limits))

    def stop(self) -> None:
        if self._thread.is_alive():
            self.client.stop()
        self._thread.join(4 * PATIENCE_S)
        assert not self._thread.is_alive()


def works(view: ProcessView | None) -> bool:
    return view is not None and view.state is ProcessState.RUNNING


def engine(replica: str = "m-0", **changes: int) -> EngineSpec:
    facts = {"slots": 1, "context": 128, "threads": 1} | changes
    return EngineSpec(replica, "m", "/m.gguf", f"/run/engine-{replica}.sock", **facts)
