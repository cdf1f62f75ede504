"""Jobs' commands: each in namespaces of its own, its assets in memory, its output in a pipe."""
