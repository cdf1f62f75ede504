"""vLLM as a process of ours, on a unix socket. Written against version 0.33.0, from its source."""
