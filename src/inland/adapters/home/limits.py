"""Every limit an operator may set, with its default, its bounds and what it bounds.

`factory.toml` is written and read from this table, so the two cannot disagree.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from inland.domain.errors import BadInput

KIB = 1024
MIB = 1024 * KIB


def _limit(default: int, least: int, most: int, why: str) -> Any:
    return field(default=default, metadata={"least": least, "most": most, "why": why})


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one factory. Units come last in each name; counts have none."""

    connections: int = _limit(1024, 1, 65_536, "callers connected to one gateway")
    header_bytes: int = _limit(32 * KIB, KIB, MIB, "request line and headers of one request")
    body_bytes: int = _limit(4 * MIB, KIB, 256 * MIB, "body of one request")
    idle_s: int = _limit(75, 1, 3600, "a connection without a request is closed after this")
    body_s: int = _limit(30, 1, 3600, "a request must have arrived whole within this")
    messages: int = _limit(4096, 1, 65_536, "messages in one chat request")
    choices: int = _limit(8, 1, 128, "answers to one request (n)")
    answer_tokens: int = _limit(8192, 1, 1_048_576, "tokens asked for in one answer (max_tokens)")
    queue: int = _limit(
        256, 0, 65_536, "requests of one tenant waiting, per deployment and gateway"
    )
    queue_s: int = _limit(60, 1, 3600, "a request waits for the engine at most this")
    answer_s: int = _limit(600, 1, 86_400, "an answer must have ended within this")
    upstream_connect_s: int = _limit(10, 1, 300, "reaching a server that already exists")
    drain_s: int = _limit(30, 1, 600, "answers under way get this to end when the factory stops")
    tenants: int = _limit(1024, 1, 65_536, "tenants")
    keys: int = _limit(65_536, 1, 1_048_576, "API keys, revoked ones included")
    deployments: int = _limit(256, 1, 4096, "deployments")

    def __post_init__(self) -> None:
        for limit in fields(self):
            value, rule = getattr(self, limit.name), limit.metadata
            if type(value) is not int or not rule["least"] <= value <= rule["most"]:
                bounds = f"between {rule['least']} and {rule['most']}"
                raise BadInput(f"limits.{limit.name}", f"must be a whole number {bounds}")


def commented() -> str:
    """The `[limits]` of a new factory.toml: each with its default, commented out."""
    lines = []
    for limit in fields(Limits):
        setting = f"# {limit.name} = {limit.default}"
        lines.append(f"{setting:<32} # {limit.metadata['why']}")
    return "\n".join(lines) + "\n"
