"""Pure: canonical records, Merkle trees, tiles, notes, receipts and their verification."""
