"""Statements about what the factory releases, signed so that an outsider can check them."""

from typing import Protocol


class Signer(Protocol):
    """Signs under the factory's key for models."""

    def sign(self, payload: bytes) -> str:
        """An in-toto statement in a DSSE envelope, as JSON. Blocks; raises OSError."""
        ...
