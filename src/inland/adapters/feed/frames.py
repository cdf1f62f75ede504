"""What goes over the feed: length-prefixed JSON, bounded, asked by gateways, answered by control.

A frame is 4 bytes of length, big-endian, and that many bytes of JSON. A gateway sends asks; control
sends pushes (a whole snapshot) and answers (a lease), a push before the answer that speaks of it.
"""

import struct
from collections.abc import Callable
from typing import Any

import msgspec

from inland.domain.errors import Damaged
from inland.domain.snapshot import Secrets, Snapshot

#: Longest frame to a gateway and from one, in bytes.
PUSH_LIMIT_BYTES = 64 * 1024 * 1024
ASK_LIMIT_BYTES = 8 * 1024 * 1024
#: How long a gateway may act on one answer, and how often it asks, in seconds.
LEASE_S = 5.0
ASK_EVERY_S = 1.0

_LENGTH = struct.Struct(">I")


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """A gateway's number `n`th ask. `running`: the version it decides by, 0 before the first."""

    n: int
    gateway: str
    pid: int
    writer: str
    running: int
    metrics: dict[str, Any] | None = None


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """A lease of `lease_s` seconds, which the gateway counts from its sending ask `n`."""

    n: int
    lease_s: float
    version: int


class Push(msgspec.Struct, frozen=True, tag="push"):
    """A snapshot to run from now on."""

    snapshot: Snapshot
    secrets: Secrets


_to_bytes = msgspec.json.Encoder(order="deterministic").encode
_from_gateway = msgspec.json.Decoder(Ask).decode
_from_control: Callable[[bytes], Answer | Push] = msgspec.json.Decoder(Answer | Push).decode


class Frames:
    """Cuts a byte stream into frames."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are now whole. Raises Damaged for one beyond the limit."""
        self._pending += data
        whole = []
        while len(self._pending) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._pending)
            if length > self._limit_bytes:
                raise Damaged("feed", f"a frame of {length} bytes, at most {self._limit_bytes}")
            end = _LENGTH.size + length
            if len(self._pending) < end:
                break
            whole.append(bytes(self._pending[_LENGTH.size : end]))
            del self._pending[:end]
        return whole


def to_frame(message: Ask | Answer | Push) -> bytes:
    """The frame of a message."""
    payload = _to_bytes(message)
    assert len(payload) <= PUSH_LIMIT_BYTES
    return _LENGTH.pack(len(payload)) + payload


def from_gateway(payload: bytes) -> Ask:
    """Raises Damaged for anything but an ask."""
    try:
        return _from_gateway(payload)
    except msgspec.MsgspecError as error:
        raise Damaged("feed", str(error)) from None


def from_control(payload: bytes) -> Answer | Push:
    """Raises Damaged for anything but an answer or a push."""
    try:
        return _from_control(payload)
    except msgspec.MsgspecError as error:
        raise Damaged("feed", str(error)) from None
