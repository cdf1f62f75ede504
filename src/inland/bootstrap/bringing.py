"""What brings models in for control, put together: each connection by the policies in force."""

from typing import TYPE_CHECKING

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.home.layout import Home
from inland.adapters.weights.bringing import Bringing
from inland.adapters.weights.shelf import Shelf
from inland.decide.residency import Residency
from inland.plant.changes import Changes

if TYPE_CHECKING:
    from inland.adapters.egress.fetching import Fetcher

#: A server that says nothing for this long is given up.
SILENCE_S = 60.0


def bringing(home: Home, isolation: str, changes: Changes) -> Bringing:
    """Into that home."""

    def allow(host: str, port: int, private: bool) -> tuple[str, ...]:  # noqa: FBT001
        verdict = Residency(changes.snapshot()).decide_connect(host, port, private=private)
        return verdict.rules if verdict.allowed else ()

    def fetcher() -> "Fetcher":
        from inland.adapters.egress.fetching import Fetcher
        from inland.adapters.egress.http import client

        door = BlockingDoor(allow)
        return Fetcher(lambda: client(door, "model", timeout_s=SILENCE_S))

    return Bringing(Shelf(home.root), isolation, fetcher)
