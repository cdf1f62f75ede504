"""How a change reaches the gateways, and how control knows that it is in force there."""

from typing import Protocol

from inland.domain.snapshot import Secrets, Snapshot


class Feed(Protocol):
    """Streams whole snapshots to gateways, which may act only while their lease runs."""

    def publish(self, snapshot: Snapshot, secrets: Secrets) -> None:
        """Hand a snapshot to every gateway, now and when it comes back; older ones are ignored."""
        ...

    def demand_fits(self, snapshot: Snapshot, secrets: Secrets) -> None:
        """Raises Conflict for a snapshot that is too large to be handed to a gateway."""
        ...

    def wait_in_force(self, version: int) -> None:
        """Block until every gateway runs `version` or later, or its lease has ended."""
        ...
