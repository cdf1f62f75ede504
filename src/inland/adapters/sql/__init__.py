"""State and books in SQL: SQLite in one home, PostgreSQL in a cluster, one schema for both."""
