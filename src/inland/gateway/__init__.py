"""The token path: from a caller's bytes to an engine's tokens, decided, metered and on the books."""
