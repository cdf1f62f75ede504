"""Waiting in tests: until it is so, for as long as a machine that does much else may need.

No test waits for a fixed time for something to happen, or fails because it took long.
"""

import asyncio
import time
from collections.abc import Callable

#: Longest that anything is waited for, in seconds: who waited so long waits for ever.
PATIENCE_S = 180.0
_LOOK_S = 0.02


def until(
    holds: Callable[[], object], why: str | Callable[[], str] = "it never came to that"
) -> None:
    """Return once it holds; fail with `why` when it never does."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, why if isinstance(why, str) else why()
        time.sleep(_LOOK_S)


async def until_here(holds: Callable[[], object], why: str = "it never came to that") -> None:
    """As `until`, while the loop goes on."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, why
        await asyncio.sleep(_LOOK_S / 10)
