"""Where everything is kept: PostgreSQL, its tables, and the engine's journal on it."""
