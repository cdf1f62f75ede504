"""`inland down`: stop a factory and see it gone."""

from inland.adapters.files.clock import SystemClock
from inland.adapters.processes import lock
from inland.adapters.processes.client import SupervisorClient
from inland.cli import show
from inland.cli.factory import running_home
from inland.cli.failures import Failed
from inland.cli.options import HomeOption, JsonOption
from inland.cli.progress import waiting

#: Longer than all graces of the supervisor together.
STOP_LIMIT_S = 90.0
_POLL_S = 0.02


def down(home: HomeOption = None, json: JsonOption = False) -> None:
    """Stop the factory: answers under way are finished first."""
    found = running_home(home)
    SupervisorClient(found.supervisor_socket).stop()
    clock = SystemClock()
    deadline_s = clock.monotonic() + STOP_LIMIT_S
    with waiting("stopping: answers under way are finished"):
        while lock.is_held(found.lock):
            if clock.monotonic() > deadline_s:
                raise Failed(f"not stopped within {STOP_LIMIT_S:.0f} s; see inland status")
            clock.sleep(_POLL_S)
    show.as_json({"stopped": True}) if json else show.line(f"stopped: {found.root}")
