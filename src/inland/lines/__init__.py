"""Production lines: declared, run step by step, resumed wherever they were cut."""
