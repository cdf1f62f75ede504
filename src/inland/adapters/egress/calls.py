"""JSON calls to one server through the door, each within one limit for all of it.

However slowly an answer drips, whoever asked is told in time; what goes wrong is an `OSError`.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from typing import Any

import httpx

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.door import Origin
from inland.adapters.egress.http import client
from inland.adapters.egress.told import told_of

#: Largest answer, in bytes; calls at once.
ANSWER_BYTES = 16 << 20
CALLS = 16


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    body: bytes

    def json(self) -> dict[str, Any]:
        """Its body, a JSON object. Raises ValueError."""
        told = json.loads(self.body)
        if not isinstance(told, dict):
            raise ValueError("no object")  # noqa: TRY004 - as json.loads has it
        return told


class Calls:
    """Calls to the server at `to`, `why` being what they are for. Threads may share one."""

    def __init__(self, door: BlockingDoor, why: str, to: Origin, limit_s: float) -> None:
        base = f"{'https' if to.tls else 'http'}://{to.authority}{to.path}"
        self._client = client(door, why, base, limit_s)
        self._limit_s = limit_s
        self._pool = ThreadPoolExecutor(CALLS, why)

    def call(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> Reply:
        """Raises Denied; OSError for whatever else keeps the answer away, the time included."""
        asked = self._pool.submit(self._call, method, path, body, headers)
        try:
            return asked.result(self._limit_s)
        except Late:
            asked.cancel()
            raise TimeoutError(f"no answer within {self._limit_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ConnectionError(told_of(error)) from None

    def close(self) -> None:
        """End every call."""
        self._client.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> Reply:
        read = bytearray()
        with self._client.stream(method, path, json=body, headers=headers) as answer:
            for piece in answer.iter_bytes():
                read += piece
                if len(read) > ANSWER_BYTES:
                    raise ConnectionError(f"it answers more than {ANSWER_BYTES} bytes")
        return Reply(answer.status_code, bytes(read))
