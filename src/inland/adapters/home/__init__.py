"""A factory's folder: its layout, its factory.toml, its making."""
