"""The control plane: observe, decide, check, write the intent, apply, book. Sole writer of state."""
