"""Alembic's entry: run by `app.storage.database.migrate`, which hands over the URL.

One migration at a time per database: the second process waits on an advisory lock and then finds
nothing left to do.
"""

from __future__ import annotations

from sqlalchemy import create_engine, pool, text

from alembic import context

LOCK = 0x636C7573


def run() -> None:
    url = context.config.attributes.get("url") or context.config.get_main_option("sqlalchemy.url")
    if not url:
        raise RuntimeError("no database URL: run migrations by `clusterway migrate`")
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": LOCK})
        connection.commit()
        try:
            context.configure(connection=connection, transaction_per_migration=True)
            with context.begin_transaction():
                context.run_migrations()
        finally:
            connection.rollback()
            connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": LOCK})
            connection.commit()
    engine.dispose()


run()
