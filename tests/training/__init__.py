"""The trainer held to its promises: small in `make test`, the real model in `make soak`."""
