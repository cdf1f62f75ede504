"""Fuzzing: `targets` has the laws, `run` looks for what breaks them, `corpus` remembers."""
