"""The keys a factory holds for others: tenants' record keys, its credentials at upstreams, and the
one API key that its operator's commands on this machine use."""

from collections.abc import Callable
from typing import Protocol

from inland.domain.snapshot import Secrets


class SecretStore(Protocol):
    """Each operation is durable when it returns. What is kept is never shown or logged."""

    def keep_record_key(self, tenant: str, fresh: bytes) -> None:
        """Keep `fresh` as the tenant's record key, unless it has one already: that one stays."""
        ...

    def keep_upstream_key(self, deployment: str, token: str) -> None:
        """Keep the bearer token of a deployment's server, in place of any earlier one."""
        ...

    def forget_upstream_key(self, deployment: str) -> None:
        """Remove a deployment's bearer token, if it has one."""
        ...

    def operator_key(self) -> str | None:
        """The id of the key that the operator's commands use; None where none is kept."""
        ...

    def keep_next_operator_key(self, text: str) -> None:
        """Keep the text of the key that is to take its place, beside it."""
        ...

    def settle_operator_key(self, is_live: Callable[[str], bool]) -> None:
        """Let a key that waits take its place if that id `is_live`, else remove it."""
        ...

    def secrets(self) -> Secrets:
        """All of them."""
        ...
