"""The nouns of a factory: ids, places, labels, life cycles, errors. Pure values, no I/O."""
