"""A home as one file: the container, what may be in it, and its seal."""
