"""`ports.tokens.Tokens`: chat completions of this factory's own gateways, over their unix sockets.

Gateways take turns; one that is starting is passed over.
"""

import itertools
import json
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from inland.domain.errors import BadInput, Busy, Denied
from inland.ports.tokens import Answered, Asked, Passed

if TYPE_CHECKING:
    import httpx  # noqa: TID251 - its type alone

#: An answer must have come within this, waiting in the queue included.
ANSWER_S = 900.0
_RETRY_AFTER_S = 1
_WHY_CHARS = 300
_RECEIPT = "inland-receipt"


class OwnGateway:
    """Asks whichever gateway of the factory has its socket in `folder`."""

    def __init__(self, folder: Path, pattern: str) -> None:
        self._folder = folder
        self._pattern = pattern
        self._turn = itertools.count()

    def ask(self, key: str, asked: Asked) -> Answered:
        """As the port says."""
        messages = [{"role": role, "content": content} for role, content in asked.messages]
        body = {
            "model": asked.model,
            "messages": messages,
            "max_tokens": asked.max_tokens,
            "temperature": 0,
            "seed": 0,
        }
        reply = self._sent(key, "/v1/chat/completions", json.dumps(body).encode())
        if reply.status_code != HTTPStatus.OK:
            raise _refusal(reply, asked.model)
        told = reply.json()
        text = told["choices"][0]["message"]["content"] or ""
        return Answered(text, reply.headers[_RECEIPT], int(told["usage"]["completion_tokens"]))

    def pass_on(self, key: str, path: str, body: bytes) -> Passed:
        """As the port says."""
        reply = self._sent(key, path, body)
        after, receipt = _retry_after_s(reply), reply.headers.get(_RECEIPT, "")
        return Passed(reply.status_code, reply.content, receipt, after)

    def _sent(self, key: str, path: str, body: bytes) -> "httpx.Response":
        # Unix sockets of our own, no connection to anywhere; most starts of control ask nothing.
        import httpx  # noqa: PLC0415, TID251

        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        sockets = sorted(self._folder.glob(self._pattern))
        first = next(self._turn)
        for number in range(len(sockets)):
            way = httpx.HTTPTransport(uds=str(sockets[(first + number) % len(sockets)]))
            try:
                with httpx.Client(transport=way, timeout=ANSWER_S) as client:
                    return client.post(f"http://localhost{path}", headers=headers, content=body)
            except httpx.ConnectError:
                continue
            except httpx.TransportError as error:
                raise Busy(f"the gateway was lost: {error}", _RETRY_AFTER_S) from error
        raise Busy("no gateway answers", _RETRY_AFTER_S)


def _retry_after_s(reply: "httpx.Response") -> int:
    after = reply.headers.get("retry-after", "")
    return int(after) if after.isdigit() else 0


def _refusal(reply: "httpx.Response", model: str) -> Exception:
    """What the gateway's error says, in this factory's words."""
    try:
        why = str(reply.json()["error"]["message"])[:_WHY_CHARS]
    except (ValueError, KeyError, TypeError):
        why = f"HTTP status {reply.status_code}"
    if reply.status_code in {401, 429, 500, 502, 503, 504}:
        return Busy(why, _retry_after_s(reply) or _RETRY_AFTER_S)
    if reply.status_code in {403, 404}:
        return Denied(f"asking {model}", (), why)
    return BadInput("task", why)
