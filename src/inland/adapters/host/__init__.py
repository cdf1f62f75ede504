"""The machine under a factory: what it has, and whether that will do."""
