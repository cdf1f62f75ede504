"""Bounds and the log line of every call: bodies have a limit, lines hold no text and no key."""

import json
import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inland.api.content import MULTIPART, OCTETS, ContentFirst, content_of
from inland.api.dialect import is_dialect, refusal, status_of
from inland.domain import strict_json
from inland.domain.limits import Limits
from inland.ports.clock import Clock

_log = logging.getLogger(__name__)


class Bounds:
    """ASGI around the app: refuses long and ambiguous bodies, logs each call by its route."""

    def __init__(self, app: ASGIApp, clock: Clock, limits: Limits) -> None:
        self._app = app
        self._with_content = ContentFirst(app)
        self._limits = limits
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

        if content_of(scope) is not None:  # its protocol held it to the limit
            await self._with_content(scope, receive, sending)
        elif (body := await _body(receive, self._limits.control_body_bytes)) is None:
            detail = f"a body has at most {self._limits.control_body_bytes} bytes"
            await _refuse(scope, sending, 413, "Too long", detail)
        elif len(_content_types(scope)) > 1:
            await _refuse(scope, sending, 400, "Bad input", "a body has one content-type")
        elif not _is_content(scope) and (bad := self._ambiguous(body)):
            await _refuse(scope, sending, 422, "Bad input", bad)
        else:
            await self._app(scope, _replay(body, receive), sending)
        self._line(scope, status, self._clock.monotonic() - began)

    def _ambiguous(self, body: bytes) -> str:
        """Why `body` is no JSON that can be read one way only; empty if it is, or is not there."""
        if not body:
            return ""
        try:
            strict_json.check(body, self._limits.json_depth, self._limits.json_items)
        except strict_json.BadJson as bad:
            return str(bad).encode("utf-8", "replace").decode()
        return ""

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


def _content_types(scope: Scope) -> list[bytes]:
    """What a body says that it is. No route that wants JSON reads one that says octets."""
    return [
        value.partition(b";")[0].strip().lower()
        for name, value in scope["headers"]
        if name == b"content-type"
    ]


def _is_content(scope: Scope) -> bool:
    """Whether a body says that it is no JSON, but something that is taken piece by piece."""
    return _content_types(scope) in ([OCTETS], [MULTIPART])


async def _body(receive: Receive, limit_bytes: int) -> bytes | None:
    """The whole body; None when it is beyond the limit."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(pieces)
        piece = message.get("body", b"")
        pieces.append(piece)
        size += len(piece)
        if size > limit_bytes:
            return None
        if not message.get("more_body", False):
            return b"".join(pieces)


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def receiving() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


async def _refuse(scope: Scope, send: Send, status: int, title: str, detail: str) -> None:
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    kind = b"application/problem+json"
    if is_dialect(scope["path"]):
        problem, status, kind = refusal(problem), status_of(status), b"application/json"
    headers = [(b"content-type", kind), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(problem).encode()})
