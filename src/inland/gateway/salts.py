"""What an engine that shares its prompt cache keeps tenants apart by: a salt for each of them.

Derived from a secret of this life of the gateway, so a tenant cannot know or choose its own or
another's; two gateways, or two lives, share no cached prompt.
"""

import hmac
from hashlib import sha256

SECRET_BYTES = 32


class Salts:
    """The salts of one life. Bounded by the tenants there are."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._made: dict[str, str] = {}

    def of(self, tenant: str) -> str:
        """64 hex digits, of this tenant alone."""
        found = self._made.get(tenant)
        if found is None:
            found = self._made[tenant] = hmac.new(self._secret, tenant.encode(), sha256).hexdigest()
        return found
