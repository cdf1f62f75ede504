"""The one door through which connections leave the factory."""
