"""Waiting for what is about to be booked: bounded in time, and in how many wait at once."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from inland.domain.errors import Busy

#: How long an answer may wait for its batch, and how often it is looked for, in seconds.
WAIT_S, LOOK_EVERY_S = 2.0, 0.1
#: Callers that wait at once; beyond them it is "busy".
MAX_WAITING = 128
_RETRY_AFTER_S = 2

_Found = TypeVar("_Found")


async def wait_for(request: Request, look: Callable[[], _Found | None]) -> _Found | None:
    """What `look` finds, waiting for it; None only after all of `WAIT_S`. Raises Busy."""
    app = request.app
    clock = app.state.control.clock
    if app.state.waiting >= MAX_WAITING:
        raise Busy("too many callers wait for records", _RETRY_AFTER_S)
    app.state.waiting += 1
    until = clock.monotonic() + WAIT_S
    try:
        while True:
            found = await run_in_threadpool(look)
            if found is not None:
                return found
            left_s = until - clock.monotonic()
            if left_s <= LOOK_EVERY_S:
                await asyncio.sleep(max(left_s, 0.0))
                return None
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        app.state.waiting -= 1
