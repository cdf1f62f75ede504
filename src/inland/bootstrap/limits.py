"""The bounds an operator sets in factory.toml, as the rooms that keep them know them."""

from inland.adapters.home.limits import Limits as HomeLimits
from inland.adapters.processes.supervisor import Grace
from inland.decide.admission import Bounds
from inland.gateway.limits import Limits

#: A gateway that has drained still has its journal to commit, in seconds.
_AFTER_DRAIN_S = 5.0

#: Full queues of tenants that one deployment holds, per gateway.
_QUEUES = 16


def gateway_limits(said: HomeLimits) -> Limits:
    """What one gateway keeps to."""
    return Limits(
        connections=said.connections,
        header_bytes=said.header_bytes,
        body_bytes=said.body_bytes,
        body_s=said.body_s,
        idle_s=said.idle_s,
        total_s=said.answer_s,
        messages=said.messages,
        choices=said.choices,
        answer_tokens=said.answer_tokens,
        drain_s=said.drain_s,
        admission=Bounds(
            waiting_per_tenant=said.queue,
            waiting_total=said.queue * _QUEUES,
            wait_s=said.queue_s,
        ),
    )


def grace(said: HomeLimits) -> Grace:
    """How long each process may take to end."""
    return Grace(gateway_s=said.drain_s + _AFTER_DRAIN_S)
