"""Pure: every decision the factory takes, on an immutable snapshot, with `now` as an argument."""
