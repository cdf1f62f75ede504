"""The control plane: observe, decide, check, write the intent, apply, book. Writes state alone."""
