"""The control side's HTTP: /factory/v1, /ledger, metrics and health."""
