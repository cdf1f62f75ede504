"""Tests that break things on purpose, and the laws that must hold all the same."""
