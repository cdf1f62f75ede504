"""The entry of every process: its role, its folder, and the descriptors it was handed."""

import argparse
import contextlib
import logging
import os
import resource
import sys
from pathlib import Path
from typing import NoReturn

from inland import settings
from inland.adapters.home import factory_toml
from inland.adapters.home.layout import Home
from inland.adapters.home.listening import Listening, from_json
from inland.adapters.isolation.core_dumps import leave_no_core
from inland.adapters.processes.lifeline import end_with_supervisor
from inland.adapters.processes.room import NO_ROOM_ERRORS, NO_ROOM_EXIT
from inland.bootstrap import logs
from inland.domain.errors import InlandError
from inland.ports.files import DiskFull

#: A gateway that has drained still has its journal to commit, in seconds.
_AFTER_DRAIN_S = 5.0
_ROLES = ("supervisor", "control", "gateway", "engine")


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="inland.bootstrap", description=__doc__)
    parser.add_argument("role", choices=_ROLES)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--name", default="")
    parser.add_argument("--port", type=int)
    parser.add_argument("--gateways", type=int, help="how many there are")
    parser.add_argument("--index", type=int, help="gateway: which of them it is")
    parser.add_argument("--first", action="store_true", help="gateway: none was it before")
    parser.add_argument("--listening", help="all but engines: how callers reach it, as JSON")
    parser.add_argument("--report", type=int, help="supervisor: where to tell that it started")
    parser.add_argument("--lifeline", type=int, help="end when this descriptor closes")
    parser.add_argument("--fd", type=int, help="gateway: its listening socket")
    parser.add_argument("--spec", default="{}", help="engine: what to serve, as JSON")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Run one process to its end; its exit status. What stops it is the last line of its log."""
    asked = _arguments(argv)
    if asked.role != "supervisor" and asked.lifeline is not None:
        end_with_supervisor(asked.lifeline)  # before anything that may take long
    os.umask(0o077)
    leave_no_core()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a caller takes one, and an engine
    logs.to_standard_error()
    try:
        return _run(asked, Home(asked.home.absolute()))
    except (InlandError, OSError) as error:
        logging.getLogger("inland").error("ended", extra={"why": str(error)})
        with contextlib.suppress(OSError):  # its log may be what has no room
            print(f"{asked.name or asked.role}: {error}", file=sys.stderr)  # noqa: T201 - its log
        return NO_ROOM_EXIT if _is_for_want_of_room(error) else 1


def _is_for_want_of_room(error: InlandError | OSError) -> bool:
    return isinstance(error, DiskFull) or (
        isinstance(error, OSError) and error.errno in NO_ROOM_ERRORS
    )


def _run(asked: argparse.Namespace, home: Home) -> int:
    """Each role imports only what it needs: an engine holds nothing of control's."""
    if asked.role == "engine":
        from inland.bootstrap.engine import run_engine

        return run_engine(home, asked.spec)
    if asked.role == "gateway":
        from inland.bootstrap.gateway import run_gateway
        from inland.decide.slots import Share

        share = Share(asked.gateways, asked.first)
        return run_gateway(home, asked.name, asked.fd, share, _listening(asked))
    if asked.role == "control":
        from inland.bootstrap.control import run_control

        return run_control(home, asked.name, _listening(asked))
    from inland.adapters.processes.report import run_reporting
    from inland.adapters.processes.supervisor import Config, Grace

    declared = factory_toml.read(home.factory_toml)
    said = from_json(asked.listening) if asked.listening else declared.listening
    said.demand_tls()
    config = Config(
        home.root,
        declared.port if asked.port is None else asked.port,
        asked.gateways or declared.gateways,
        settings.from_environment().child_environment,
        grace=Grace(gateway_s=declared.limits.drain_s + _AFTER_DRAIN_S),
        lifeline_fd=asked.lifeline,
        address=said.bind,
        listening=said.to_json(),
    )
    return run_reporting(config, asked.report)


def _listening(asked: argparse.Namespace) -> Listening:
    """What the supervisor tells its children of how they are reached."""
    return from_json(asked.listening) if asked.listening else Listening()


def _leave(code: int) -> NoReturn:
    """End with `code` even where the log's disk is full: Python would make another of it."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    _leave(main(sys.argv[1:]))
