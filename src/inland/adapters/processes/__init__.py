"""The factory's processes on one machine: the supervisor, its children, and the way to ask it."""
