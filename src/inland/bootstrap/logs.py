"""Logs as JSON lines on standard error, which the supervisor turns into a file per process.

Only messages and named facts are written, never arguments of requests: no prompt, answer or key
reaches a logger, and an exception is written as its type and place, for its text may hold one.
"""

import json
import logging
import traceback
from typing import Any

#: What every LogRecord has; the rest was given as facts.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: Frames of a traceback that are written, innermost last.
_FRAMES = 12


class JsonLines(logging.Formatter):
    """A record as one line."""

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, Any] = {
            "time": round(record.created, 6),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        facts |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info and record.exc_info[0] is not None:
            facts["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])[-_FRAMES:]
            facts["at"] = [f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}" for f in frames]
        return json.dumps(facts, default=str)


def to_standard_error(level: int = logging.INFO) -> None:
    """Send all logs there; libraries only from warnings on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("inland").setLevel(level)
