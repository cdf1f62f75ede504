"""The machine's clock and its randomness, as ports."""

import os
import time


class SystemClock:
    """Wall and monotonic time of this machine."""

    def unix_us(self) -> int:
        return time.time_ns() // 1000

    monotonic = staticmethod(time.monotonic)  # asked several times a token: no frame of ours

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class SystemEntropy:
    """Random bytes from the kernel."""

    def __call__(self, count: int, /) -> bytes:
        return os.urandom(count)
