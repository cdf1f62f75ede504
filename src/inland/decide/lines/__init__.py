"""Pure: what a line's file says, and which step of a run is next."""
