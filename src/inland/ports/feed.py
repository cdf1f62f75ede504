"""How a change reaches the gateways, and how control knows that it is in force there."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from inland.domain.shares import Demand, Portion
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


class Shares(Protocol):
    """Who of several gateways has which slots: `decide.shares.Shares`, driven by the feed."""

    def plan(self, snapshot: Snapshot) -> None:
        """The deployments, contracts and profiles in force."""
        ...

    def lived(self, pids: Iterable[int]) -> None:
        """The gateways that live now, by process id."""
        ...

    def is_settled(self) -> bool:
        """Whether all gateways have spoken that may hold anything."""
        ...

    def wants(self, gateway: str, pid: int, seen: int, demands: Mapping[str, Demand]) -> None:
        """A gateway has this to do, and has taken over message number `seen`."""
        ...

    def again(self, gateway: str) -> None:
        """It has a new connection."""
        ...

    def ended(self, gateway: str) -> None:
        """Its process is no more."""
        ...

    def portions(self, now: float) -> dict[str, tuple[int, dict[str, Portion]]]:
        """What gateways are to be told that they have not been: a number each, and portions."""
        ...


class Sharing(Protocol):
    """What a gateway has to do, and its share of the engines' slots."""

    def begin_anew(self) -> None:
        """A new connection: what was told is to be told again, messages count from 1."""
        ...

    def demands(self, number: int) -> dict[str, Demand]:
        """By deployment, what has changed since it was told, for message `number`. If there is
        none, nothing is sent, and the number comes again."""
        ...

    def take(self, portions: dict[str, Portion], heard: int) -> None:
        """Take over portions that control made when it had heard message `heard`."""
        ...
