"""Real servers that tests start: programs held to a hash, each its own process on 127.0.0.1."""
