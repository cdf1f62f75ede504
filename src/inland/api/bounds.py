"""Bounds and the log line of every call: bodies have a limit, lines hold no text and no key."""

import json
import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inland.ports.clock import Clock

#: Longest body that is read, in bytes: the largest policy set, as JSON.
MAX_BODY_BYTES = 2 * 1024 * 1024

_log = logging.getLogger(__name__)


class Bounds:
    """ASGI around the app: refuses long bodies, logs each call by its route's pattern."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._clock.monotonic()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        body = await _body(receive)
        if body is None:
            await _too_long(sending)
        else:
            await self._app(scope, _replay(body, receive), sending)
        self._line(scope, status, self._clock.monotonic() - began)

    def _line(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        facts = {
            "method": scope["method"],
            "route": route,
            "status": status,
            "key": scope.get("state", {}).get("key_id"),
            "duration_ms": round(seconds * 1000, 3),
        }
        _log.info("call", extra=facts)


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when it is beyond the limit."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def receiving() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


async def _too_long(send: Send) -> None:
    detail = f"a body has at most {MAX_BODY_BYTES} bytes"
    problem = {"type": "about:blank", "title": "Too long", "status": 413, "detail": detail}
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(problem).encode()})
