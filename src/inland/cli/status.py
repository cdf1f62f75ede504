"""`inland status`: every process, from the supervisor, so that it works when control does not."""

from typing import Any

from inland import __version__
from inland.adapters.processes.client import SupervisorClient
from inland.adapters.processes.protocol import view_to
from inland.cli import show
from inland.cli.factory import calling, running_home
from inland.cli.options import HomeOption, JsonOption
from inland.cli.program import call
from inland.cli.reached import remembered, served_sha256
from inland.cli.starting import say_failed
from inland.domain.errors import InlandError
from inland.ports.runner import ProcessState


def status(home: HomeOption = None, json: JsonOption = False) -> None:
    """Show every process of the factory, and what control says of itself."""
    found = running_home(home)
    views = SupervisorClient(found.supervisor_socket).processes()
    processes = [view_to(view) for view in views]
    control: dict[str, Any] | None = None
    why = None
    try:
        with calling(home) as factory:
            control = factory.status()
    except InlandError as error:
        why = str(error)
    at = remembered(found)
    served = None if at is None else served_sha256(at.url)
    if json:
        told = {"home": str(found.root), "processes": processes, "control": control}
        told |= {"url": None if at is None else at.url, "sha256": served}
        show.as_json(told if why is None else {**told, "why": why})
        return
    if at is not None:
        show.line(at.url if served is None else f"{at.url} (certificate SHA-256 {served})")
    columns = [
        ("PROCESS", show.field("name")),
        ("STATE", show.field("state")),
        ("PID", show.field("pid")),
        ("VERSION", show.field("inland")),
        ("RESTARTS", show.field("restarts")),
        ("LAST END", show.field("why")),
    ]
    show.rows(processes, columns, json_too=False)
    for view in views:
        if view.state is ProcessState.FAILED:
            show.line(say_failed(found, view))
    if why is not None:
        show.line(f"control: {why}")
    for line in _wrong(control or {}):
        show.line(line)
    for view in views:
        if view.inland not in {None, __version__}:
            differs = f"{view.name} runs Inland {view.inland}, this command is {__version__}"
            show.line(f"{differs}: {call('down', found.root)}, then up, makes them one")


def _wrong(control: dict[str, Any]) -> list[str]:
    """What control says is wrong, what keeps answers from being recorded first, a line each."""
    alarms = [f"alarm: {alarm}" for alarm in control.get("alarms", ())]
    return alarms + [f"{what}: {why}" for what, why in control.get("wrong", {}).items()]
