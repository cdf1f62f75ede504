"""`inland down`: stop a factory and see it gone."""

from inland.adapters.files.clock import SystemClock
from inland.adapters.processes import lock
from inland.adapters.processes.client import SupervisorClient
from inland.cli import show
from inland.cli.factory import running_home
from inland.cli.failures import Failed
from inland.cli.options import HomeOption, JsonOption
from inland.cli.program import call
from inland.cli.progress import waiting
from inland.cli.starting import stop_limit_s

_POLL_S = 0.02


def down(home: HomeOption = None, json: JsonOption = False) -> None:
    """Stop the factory: answers under way are finished first."""
    found = running_home(home)
    SupervisorClient(found.supervisor_socket).stop()
    clock, limit_s = SystemClock(), stop_limit_s(found)
    deadline_s = clock.monotonic() + limit_s
    with waiting("stopping: answers under way are finished"):
        while lock.is_held(found.lock):
            if clock.monotonic() > deadline_s:
                raise Failed(
                    f"not stopped within {limit_s:.0f} s; see {call('status', found.root)}"
                )
            clock.sleep(_POLL_S)
    show.as_json({"stopped": True}) if json else show.line(f"stopped: {found.root}")
