"""What callers send and read, as Pydantic models: the only place with Pydantic in it."""
