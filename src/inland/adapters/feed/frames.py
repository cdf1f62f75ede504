"""What goes over the feed: length-prefixed JSON, bounded, asked by gateways, answered by control.

A frame is 4 bytes of length, big-endian, and that many bytes of JSON. A gateway sends asks; control
sends pushes (a whole snapshot) and answers (a lease), a push before the answer that speaks of it.
Beside these, and of no version, gateways say what they have to do and are told their shares.
Fields that are not known are passed over, but in a snapshot, where one may forbid something.
"""

import struct
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec

from inland import __version__
from inland.adapters.feed.strict import strictly
from inland.domain.allowances import Allowance, Claim
from inland.domain.errors import Conflict, Damaged
from inland.domain.shares import Demand, Portion
from inland.domain.snapshot import Secrets, Snapshot

#: Longest frame to a gateway and from one, in bytes.
PUSH_LIMIT_BYTES = 64 * 1024 * 1024
ASK_LIMIT_BYTES = 8 * 1024 * 1024
#: How long a gateway may act on one answer, and how often it asks, in seconds.
LEASE_S = 5.0
ASK_EVERY_S = 1.0
#: How often a gateway looks whether what it has to do changed, and tells control, in seconds.
DEMAND_EVERY_S = 0.025

_LENGTH = struct.Struct(">I")

#: The oldest and the newest form of the feed that this version speaks. A new one is needed when a
#: side must know of a change to act rightly and nothing in a snapshot's fields would tell it.
SPOKEN = (2, 2)
#: What whoever says nothing speaks: versions from before it was said.
UNSAID = (0, 0)


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """A gateway's number `n`th ask. `running`: the version it decides by, 0 before the first, and
    `digest` the one that came with it. `spoken`: as `SPOKEN`; `inland`: the package's version;
    `refused`: why it cannot take what control sends. `claims`: all it holds of hard budgets."""

    n: int
    gateway: str
    pid: int
    writer: str
    running: int
    metrics: dict[str, Any] | None = None
    digest: str = ""
    spoken: tuple[int, int] = UNSAID
    inland: str = ""
    refused: str = ""
    claims: tuple[Claim, ...] = ()


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """A lease of `lease_s` seconds, which the gateway counts from its sending ask `n`.

    `refused`: why there will be none; empty where there may be. `allowances`: what the claims in
    that ask came to; only those of the newest ask are in force.
    """

    n: int
    lease_s: float
    version: int
    refused: str = ""
    spoken: tuple[int, int] = UNSAID
    inland: str = ""
    allowances: tuple[Allowance, ...] = ()


class Push(msgspec.Struct, frozen=True, tag="push"):
    """A snapshot to run from now on. `digest` tells it from others of its version: of a database
    that was put back, say."""

    snapshot: Snapshot
    secrets: Secrets
    digest: str = ""


class Wants(msgspec.Struct, frozen=True, tag="wants"):
    """A gateway's number `n`th demand on this connection: by deployment, those that changed.

    `writer`: who it is; `seen`: the last `Dealt` that it took over.
    """

    n: int
    writer: str
    seen: int
    demands: dict[str, Demand]


class Dealt(msgspec.Struct, frozen=True, tag="dealt"):
    """The number `n`th portions on this connection: by deployment, those that changed.

    `heard`: the last `Wants` that they go by.
    """

    n: int
    heard: int
    portions: dict[str, Portion]


class _Held(msgspec.Struct, tag="push"):
    """A push, as far as its snapshot may hold nothing that is not known."""

    snapshot: strictly(Snapshot)  # type: ignore[valid-type]  # made when this is loaded
    secrets: strictly(Secrets)  # type: ignore[valid-type]


_to_bytes = msgspec.json.Encoder(order="deterministic").encode
_from_gateway: Callable[[bytes], Ask | Wants] = msgspec.json.Decoder(Ask | Wants).decode
_from_control: Callable[[bytes], Answer | Push | Dealt] = msgspec.json.Decoder(
    Answer | Push | Dealt
).decode
_hold = msgspec.json.Decoder(_Held).decode


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


def to_frame(message: Ask | Wants | Answer | Push | Dealt) -> bytes:
    """The frame of a message. Raises Conflict for a snapshot that is too large."""
    payload = _to_bytes(message)
    demand_size(len(payload), PUSH_LIMIT_BYTES)
    return _LENGTH.pack(len(payload)) + payload


def demand_size(size_bytes: int, most_bytes: int) -> None:
    """Raise Conflict for a snapshot that has more."""
    if size_bytes > most_bytes:
        told = f"{size_bytes:,} bytes of tenants, keys and deployments"
        why = f"{told}, and gateways take at most {most_bytes:,}: what was asked for is not done"
        raise Conflict("the factory's state would be too large", why)


def push_frame(snapshot: Snapshot, secrets: Secrets) -> tuple[bytes, str]:
    """The frame of a push, and the digest in it. Raises Conflict where it is too large."""
    digest = sha256(_to_bytes(Push(snapshot, secrets))).hexdigest()
    return to_frame(Push(snapshot, secrets, digest)), digest


def unspoken(there: tuple[int, int], inland: str, who: str) -> str:
    """Why this version and `who` do not understand each other; empty where they do."""
    if max(there[0], SPOKEN[0]) <= min(there[1], SPOKEN[1]):
        return ""
    return (
        f"{who} is Inland {inland or 'of an earlier version'}, and this is {__version__}: their "
        "feeds differ; restart the factory (inland down, inland up)"
    )


def from_gateway(payload: bytes) -> Ask | Wants:
    """Raises Damaged for anything but an ask or a demand."""
    try:
        return _from_gateway(payload)
    except msgspec.MsgspecError as error:
        raise Damaged("feed", str(error)) from None


def from_control(payload: bytes) -> Answer | Push | Dealt:
    """Raises Damaged for anything but these, or a push with what is not known."""
    try:
        message = _from_control(payload)
        if isinstance(message, Push):
            _hold(payload)
        return message
    except msgspec.MsgspecError as error:
        raise Damaged("feed", str(error)) from None
