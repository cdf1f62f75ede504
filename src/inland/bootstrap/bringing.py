"""What brings models in for control, put together: each connection by the policies in force."""

from typing import TYPE_CHECKING

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.home.layout import Home
from inland.adapters.weights.bringing import Bringing
from inland.adapters.weights.shelf import Shelf

if TYPE_CHECKING:
    from inland.adapters.egress.fetching import Fetcher

#: A server that says nothing for this long is given up; so is one that sends less than so many
#: bytes in so long, or has not ended within a day: a pull is one of few.
SILENCE_S = 60.0
LEAST_BYTES, WINDOW_S, FETCH_S = 256 << 10, 60.0, 24 * 3600.0


def bringing(home: Home, isolation: str, door: BlockingDoor) -> Bringing:
    """Into that home, through that door."""

    def fetcher() -> "Fetcher":
        from inland.adapters.egress.fetching import Fetcher
        from inland.adapters.egress.http import client
        from inland.adapters.egress.pace import Pace

        def pace() -> Pace:
            return Pace(LEAST_BYTES, WINDOW_S, FETCH_S)

        return Fetcher(lambda: client(door, "model", timeout_s=SILENCE_S, pace=pace()))

    return Bringing(Shelf(home.root), isolation, fetcher)
