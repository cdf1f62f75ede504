"""What may be told of an HTTP call that failed."""

import httpx


def told_of(error: Exception) -> str:
    """Its words, but of what was not fit to be sent only its kind: there the words are what was to
    be sent, a token among it."""
    kind = type(error).__name__
    return kind if isinstance(error, httpx.LocalProtocolError) else str(error) or kind
