"""The studio: its jobs, on SQLite and on PostgreSQL."""
