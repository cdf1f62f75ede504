"""Clients that people use: their pinned environments, and what each asks of a factory."""
