"""How slowly a server may answer: one that drips, and one that never ends, are given up.

What counts is time spent waiting for it: a slow disk here is not its fault.
"""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

#: A socket told to wait for nothing would not wait at all.
_LEAST_WAIT_S = 0.001


@dataclass(slots=True)
class Pace:
    """At least `least_bytes` in each `window_s` of waiting, and all within `limit_s`.

    Of one thread. `clock`: seconds that never go back.
    """

    least_bytes: int
    window_s: float
    limit_s: float
    clock: Callable[[], float] = time.monotonic
    _ends_s: float = field(init=False)
    _waited_s: float = field(init=False, default=0.0)
    _bytes: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._ends_s = self.clock() + self.limit_s

    def read(self, connection: socket.socket, count: int, most_s: float | None) -> bytes:
        """As `recv`, which may take `most_s`. Raises TimeoutError besides: it is too slow."""
        connection.settimeout(self._wait_s(most_s))
        began_s = self.clock()
        try:
            data = connection.recv(count)
        except TimeoutError:
            self._took(0, self.clock() - began_s)
            raise
        if data:
            self._took(len(data), self.clock() - began_s)
        return data

    def _wait_s(self, most_s: float | None) -> float:
        left_s = self._ends_s - self.clock()
        if left_s <= 0:
            raise TimeoutError(f"it has not ended within {self.limit_s:.0f} s")
        window_s = max(self.window_s - self._waited_s, _LEAST_WAIT_S)
        return min(left_s, window_s, left_s if most_s is None else most_s)

    def _took(self, count: int, waited_s: float) -> None:
        self._waited_s += waited_s
        self._bytes += count
        if self._waited_s < self.window_s:
            return
        if self._bytes < self.least_bytes:
            told = f"{self._bytes} bytes in {self._waited_s:.0f} s"
            raise TimeoutError(f"it sends {told}; at least {self.least_bytes} are asked for")
        self._waited_s, self._bytes = 0.0, 0
