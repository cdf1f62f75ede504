"""Tokens for whoever works on somebody's behalf: asked of our own gateway, as anybody asks.

Every token goes through the gateway: it is decided, metered and recorded there, and the id that
comes back names the receipt.
"""

from dataclasses import dataclass
from typing import Protocol

#: (role, content) of each message.
Messages = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question. `model`: the name that is called; answered greedily, the same each time."""

    model: str
    messages: Messages
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Answered:
    """`receipt`: the id of the record. `completion_tokens`: what the answer took."""

    text: str
    receipt: str
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Passed:
    """What a gateway answered, whole. `receipt`: the id of the record, empty where there is none.
    `retry_after_s`: when it may be asked again, 0 where nothing was said of that."""

    status: int
    body: bytes
    receipt: str
    retry_after_s: int


class Passing(Protocol):
    """Requests that somebody else wrote. Calls block; threads may share it."""

    def pass_on(self, key: str, path: str, body: bytes) -> Passed:
        """Ask with the text of an API key what `body` says, of a path of the token path. Raises
        Busy where no gateway answered."""
        ...


class Tokens(Protocol):
    """Calls block; threads may share it."""

    def ask(self, key: str, asked: Asked) -> Answered:
        """With the text of an API key. Raises Busy for what may be asked again, Denied for what
        this key may not have, BadInput for what the model cannot be asked."""
        ...
