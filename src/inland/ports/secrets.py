"""The keys a factory holds for others: tenants' record keys, and its credentials at upstreams."""

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

    def secrets(self) -> Secrets:
        """All of them."""
        ...
