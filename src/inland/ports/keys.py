"""Keys of assets: made, opened and destroyed where they are kept, and at rest nowhere else.

No database and no backup holds one, wrapped or not: what is destroyed here opens nothing any more,
whatever copies of the ciphertext there are. Calls block; threads may share an implementation. Every
one passes the same suite, the key server's too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from inland.domain.errors import InlandError

#: Bytes of an asset's key (AES-256).
KEY_BYTES = 32


class KeyName(NamedTuple):
    """Whose key of what: `asset` is an asset's id, or a fixed word for one of the tenant's own."""

    tenant: str
    asset: str


@dataclass
class KeyGone(InlandError):
    """It was destroyed, or never was."""

    name: KeyName

    def __str__(self) -> str:
        return f"the key of {self.name.asset} does not exist: its content cannot be read any more"


@dataclass
class KeyWithdrawn(InlandError):
    """Its tenant withdrew its keys; they exist, and open nothing until given back."""

    tenant: str

    def __str__(self) -> str:
        return f"{self.tenant} has withdrawn its keys"


@dataclass
class KeysAway(InlandError):
    """Whoever keeps the keys does not answer, or is sealed; nothing is known of any key."""

    why: str

    def __str__(self) -> str:
        return f"keys cannot be reached: {self.why}"


class Keys(Protocol):
    """Whoever keeps the keys. Each call may raise `KeysAway`."""

    def demand(self) -> None:
        """Raises KeysAway where no key could be made or opened now; makes nothing."""
        ...

    def make(self, name: KeyName) -> bytes:
        """A new key of `KEY_BYTES`, durable before it returns. One that exists is returned again.

        Raises KeyWithdrawn."""
        ...

    def open(self, name: KeyName) -> bytes:
        """The key. Raises KeyGone, KeyWithdrawn; Damaged for one that is not what was kept."""
        ...

    def exists(self, name: KeyName) -> bool:
        """Whether there is one, withdrawn or not."""
        ...

    def destroy(self, name: KeyName) -> None:
        """Durably, whether it exists or not; a withdrawn tenant's too."""
        ...

    def withdraw(self, tenant: str) -> None:
        """From its return on nothing of the tenant's opens, durably."""
        ...

    def give_back(self, tenant: str) -> None:
        """Undo `withdraw`."""
        ...

    def withdrawn(self) -> frozenset[str]:
        """The tenants whose keys are withdrawn."""
        ...

    def names(self) -> Iterator[KeyName]:
        """Every key there is."""
        ...


class Wrapped(Protocol):
    """Keys that lie wrapped under a factory key, as far as that is changed."""

    def rotate(self, intent: str, secret: bytes | None = None) -> int:
        """Put every key under a new factory key, or go on with that; how many there are.

        Keys open throughout, whatever stops it and whenever. `intent`: the record that says so;
        `secret`: what the present one is under, where it cannot be read any more. Raises KeysAway,
        and Damaged where a key's file is: then both factory keys are kept.
        """
        ...

    def rotating(self) -> str | None:
        """The intent of a rotation that `rotated` was not called for."""
        ...

    def rotated(self) -> None:
        """That it is over is on the books: nothing is left of the older factory key."""
        ...
