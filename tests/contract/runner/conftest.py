"""The runners that exist: the supervisor, asked over its socket."""

from tests.unit.processes.conftest import home, standing

__all__ = ["home", "standing"]
