"""Texts of requests that wait: bounded, and one tenant's leave room for another's."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace

from inland.domain.limits import Limits
from tests.unit.gateway.world import caller, world

MESSAGES = [{"role": "user", "content": "word " * 10_000}]
LONG = json.dumps({"model": "smol", "messages": MESSAGES, "max_tokens": 50}).encode()


def test_a_tenant_whose_long_texts_wait_leaves_room_for_anothers() -> None:
    async def main() -> None:
        limits = replace(Limits(), bodies_bytes=4 * len(LONG), drain_s=0.1)
        async with world(limits) as w, AsyncExitStack() as stack:
            w.engine.answer = None
            c = [await stack.enter_async_context(caller(w)) for _ in range(4)]
            for n in range(2):
                c[n].ask(LONG)
            await w.calls(2)
            c[2].ask(LONG)
            assert (await c[2].reply()).status == 503
            c[3].ask(LONG, "acme")
            for call in await w.calls(3):
                call.finish()
            assert (await c[3].reply()).status == 200
            assert not w.gateway._desk._shared.bodies.by_tenant

    asyncio.run(main())
