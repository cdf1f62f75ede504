"""Every bound of the token path, by name, with its unit last."""

from dataclasses import dataclass, field

from inland.decide.admission import Bounds


@dataclass(frozen=True, slots=True)
class Limits:
    """Defaults suit one machine; tests make them small."""

    connections: int = 10_000
    header_bytes: int = 32 << 10
    headers: int = 100
    body_bytes: int = 4 << 20
    bodies_bytes: int = 256 << 20  # of all requests being received, and again of all under way
    pipelined: int = 16  # requests read ahead of the one being answered
    header_s: float = 10.0
    body_s: float = 60.0
    idle_s: float = 75.0
    linger_s: float = 2.0  # reading on after a refusal, so that the caller sees it
    stall_s: float = 30.0  # a reader that takes nothing
    write_buffer_bytes: int = 256 << 10
    total_s: float = 600.0
    attempts: int = 3  # engines that died under one request before its first token
    suspect_s: float = 0.25  # a replica that failed rests
    admission: Bounds = field(default_factory=Bounds)
    messages: int = 1024
    choices: int = 4
    answer_tokens: int = 8192  # that a caller may ask for
    stops: int = 4
    stop_characters: int = 256
    refusals_per_tenant: int = 64  # distinct ones kept apart, each second
    rulings: int = 100_000
    relay_connections: int = 32
    relay_waiting: int = 256
    relay_whole_bytes: int = 256 << 10  # shorter answers are sent with their length
    relay_s: float = 60.0  # until control begins to answer
    drain_s: float = 10.0  # at the end, for requests under way


#: How often queues, lease and time limits are looked at; and connections and folded refusals.
TICK_S = 0.25
SWEEP_S = 1.0
