"""Contracts: what a tenant bought on a deployment."""

from dataclasses import dataclass
from enum import StrEnum

#: A minute is what throughput is averaged over and what a verdict is about.
MINUTE_S = 60
#: Parts of a token: what is charged is whole numbers of these.
TOKEN = 1_000_000


class Tier(StrEnum):
    """Who goes first in what is left beyond reservations."""

    INTERACTIVE = "interactive"
    STANDARD = "standard"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Contract:
    """In force from `since_unix_s` until `until_unix_s` (None: still), for one tenant on one
    deployment, of which there is at most one at a time. `id`: of the record that sold it.

    `tokens_per_second`: completion tokens, averaged over a minute, prompts charged at the profile's
    rate; 0 reserves nothing. `ttft_ms`: the 95th percentile per minute of the time from a
    request's last byte to its first token's, for prompts of up to `prompt_tokens`; None promises
    nothing. `burst_tokens`: how much may be served at once beyond the rate and still count as
    reserved. `weight`: its part of what is left.
    """

    id: str
    tenant: str
    deployment: str
    tokens_per_second: int
    ttft_ms: int | None = None
    prompt_tokens: int = 512
    burst_tokens: int = 0
    weight: int = 1
    tier: Tier = Tier.STANDARD
    declared: bool = False
    since_unix_s: int = 0
    until_unix_s: int | None = None
