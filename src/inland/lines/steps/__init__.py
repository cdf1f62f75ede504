"""What each kind of step does, a module each. A kind without one here is refused by the check."""
