"""Made-up data for production lines, and the programs that make it."""
