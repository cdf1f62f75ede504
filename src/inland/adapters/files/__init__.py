"""Local files: the disk, the journal's writer, the clock and the entropy of the machine."""
