"""Batches: files of requests, asked in the gaps that models have, gone on with after any cut."""
