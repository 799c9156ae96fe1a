"""Integration tests run on a real PostgreSQL: `database_url` is an empty one with the schema."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support import postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@pytest.fixture
async def database_url(postgres_server: str) -> AsyncIterator[str]:
    async with postgres.database(postgres_server) as url:
        yield url


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can enter: as root, PostgreSQL runs as one."""
    with tempfile.TemporaryDirectory(prefix="cw-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
