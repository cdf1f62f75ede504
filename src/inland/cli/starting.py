"""Starting a supervisor and waiting until its factory answers."""

import os
import ssl
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from inland.adapters.files.clock import SystemClock
from inland.adapters.home import factory_toml
from inland.adapters.home.layout import Home
from inland.adapters.home.listening import Listening
from inland.adapters.processes.client import SupervisorClient
from inland.adapters.processes.logs import rotate
from inland.adapters.processes.roles import CONTROL, GATEWAY
from inland.adapters.processes.started import read_report
from inland.cli.failures import Failed
from inland.cli.program import call
from inland.domain.errors import Busy, InlandError
from inland.domain.limits import Limits
from inland.ports.runner import ProcessState, ProcessView

#: A supervisor tells within this whether it holds the home; it may wait for a dead one's children.
REPORT_LIMIT_S = 30.0
#: Large weights take their time; a first token must have come within this.
READY_LIMIT_S = 600.0
#: What everything but a gateway's drain may take to end.
OTHER_GRACES_S = 60.0
_POLL_S = 0.05
_LOOK_EVERY = 5


@dataclass(frozen=True, slots=True)
class Running:
    """A supervisor this command started. Closing `lifeline` stops one in the foreground."""

    process: "subprocess.Popen[bytes]"
    port: int
    listening: Listening
    lifeline: int | None


def start(
    home: Home,
    *,
    port: int,
    gateways: int,
    listening: Listening,
    detach: bool,
    environment: dict[str, str],
) -> Running:
    """Start the supervisor in a session of its own. Raises Failed with its reason."""
    log = home.logs / "supervisor.log"
    rotate(log)
    report_r, report_w = os.pipe()
    life_r, life_w = (None, None) if detach else os.pipe()
    argv = [sys.executable, "-P", "-m", "inland.bootstrap", "supervisor"]
    argv += ["--home", str(home.root), "--port", str(port), "--gateways", str(gateways)]
    argv += ["--listening", listening.to_json(), "--report", str(report_w)]
    argv += [] if life_r is None else ["--lifeline", str(life_r)]
    fds = (report_w,) if life_r is None else (report_w, life_r)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=fds,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    finally:
        for fd in (out, *fds):
            os.close(fd)
    told = read_report(report_r, REPORT_LIMIT_S)
    os.close(report_r)
    if isinstance(told, str):
        process.terminate()
        raise Failed(told)
    return Running(process, told.port, listening, life_w)


def wait_ready(home: Home, running: Running, say: Callable[[str], None]) -> None:
    """Return when `/readyz` is true. Raises Failed when it cannot become so, or not in time."""
    import httpx  # noqa: TID251 - the factory's own port on this machine

    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it is told nothing, and not believed much
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    ready = f"{running.listening.url(running.port)}/readyz"
    clock, supervisor = SystemClock(), SupervisorClient(home.supervisor_socket)
    deadline_s = clock.monotonic() + READY_LIMIT_S
    looks = 0
    with httpx.Client(timeout=5, trust_env=False, verify=trusting) as http:
        while clock.monotonic() < deadline_s:
            if running.process.poll() is not None:
                raise Failed(f"the supervisor ended; see {home.logs / 'supervisor.log'}")
            try:
                reply = http.get(ready)
                if reply.status_code == httpx.codes.OK:
                    return
                say(f"waiting: {' '.join(reply.text.split())[:100]}")
            except httpx.TransportError:
                say("waiting for a gateway")
            looks += 1
            if looks % _LOOK_EVERY == 0:
                _raise_if_hopeless(home, supervisor)
            clock.sleep(_POLL_S)
    raise Failed(f"not ready within {READY_LIMIT_S:.0f} s; see {call('status', home.root)}")


@dataclass
class GivenUp(Failed):
    """A process failed for good while the factory was starting. `vital`: nothing works without."""

    vital: bool = True


def _raise_if_hopeless(home: Home, supervisor: SupervisorClient) -> None:
    try:
        views = supervisor.processes()
    except Busy:
        return
    for view in views:
        if view.state is ProcessState.FAILED:
            raise GivenUp(say_failed(home, view), vital=view.role in {CONTROL, GATEWAY})


def say_failed(home: Home, view: ProcessView) -> str:
    """Why a process was given up and what starts it again."""
    again = call(f"process revive {view.name}", home.root)
    return f"{view.name} failed ({view.why}); start it again with: {again}"


def stop_limit_s(home: Home) -> float:
    """Longer than all graces of the supervisor together; a gateway's is the operator's to set."""
    try:
        limits = factory_toml.read(home.factory_toml).limits
    except (InlandError, OSError):
        limits = Limits()
    return limits.drain_s + OTHER_GRACES_S


def stop(running: Running, limit_s: float) -> None:
    """End the supervisor this command started, and see it gone."""
    running.process.terminate()
    try:
        running.process.wait(limit_s)
    except subprocess.TimeoutExpired:
        raise Failed(f"the factory has not stopped within {limit_s:.0f} s") from None
