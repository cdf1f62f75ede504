"""llama.cpp in a process of its own, on a unix socket."""
