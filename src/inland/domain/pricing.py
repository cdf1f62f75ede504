"""Prices: what a deployment's tokens cost from a moment on, and what of an answer costs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class TokenKind(StrEnum):
    """What a token is billed as. `PROMPT`: those of a prompt that were not `CACHED`."""

    PROMPT = "prompt"
    CACHED = "cached"
    COMPLETION = "completion"


@dataclass(frozen=True, slots=True)
class Price:
    """In force for `deployment` from `since_unix_s` until its next price begins.

    Micros (`domain/currencies.py`) of `currency` for a million tokens of each kind.
    """

    deployment: str
    since_unix_s: int
    currency: str
    prompt_micros: int
    cached_micros: int
    completion_micros: int

    def micros(self, kind: TokenKind) -> int:
        """For a million tokens of a kind."""
        match kind:
            case TokenKind.PROMPT:
                return self.prompt_micros
            case TokenKind.CACHED:
                return self.cached_micros
            case TokenKind.COMPLETION:
                return self.completion_micros


class Tokens(NamedTuple):
    """As records count them: `prompt` with those that were `cached` among them."""

    prompt: int
    cached: int
    completion: int

    def of(self, kind: TokenKind) -> int:
        """Those that are billed as a kind."""
        match kind:
            case TokenKind.PROMPT:
                return self.prompt - self.cached
            case TokenKind.CACHED:
                return self.cached
            case TokenKind.COMPLETION:
                return self.completion


#: The prices of each deployment that has any, the earliest first.
Prices = dict[str, tuple[Price, ...]]
