"""What brings models in for control, put together: each connection by the policies in force."""

from typing import TYPE_CHECKING

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.home.layout import Home
from inland.adapters.weights.bringing import Bringing
from inland.adapters.weights.shelf import Shelf

if TYPE_CHECKING:
    from inland.adapters.egress.fetching import Fetcher

#: A server that says nothing for this long is given up.
SILENCE_S = 60.0


def bringing(home: Home, isolation: str, door: BlockingDoor) -> Bringing:
    """Into that home, through that door."""

    def fetcher() -> "Fetcher":
        from inland.adapters.egress.fetching import Fetcher
        from inland.adapters.egress.http import client

        return Fetcher(lambda: client(door, "model", timeout_s=SILENCE_S))

    return Bringing(Shelf(home.root), isolation, fetcher)
