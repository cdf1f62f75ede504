"""Plaintext of assets in memory: on no disk, handed over by descriptor, gone with who holds it."""
