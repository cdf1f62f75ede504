"""Time and randomness, as a lower room may have them."""

from typing import Protocol


class Clock(Protocol):
    """Wall time for records, monotonic time for leases, and sleep; so have simulated clocks."""

    def unix_us(self) -> int:
        """Microseconds since 1970 UTC; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block this thread for `seconds`."""
        ...


class Entropy(Protocol):
    """Fresh random bytes, unpredictable live and seeded in the twin."""

    def __call__(self, count: int, /) -> bytes:
        """`count` random bytes."""
        ...
