"""Planted texts, and every process followed: what of them reaches a disk, who connects where."""
