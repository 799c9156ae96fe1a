"""The journal on PostgreSQL does what every journal does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.journal_suite import JournalSuite
from tests.support.journals import Place, postgres_place
from tests.support.terms_suite import TermsSuite

pytestmark = pytest.mark.postgres


class TestPostgresJournal(JournalSuite, TermsSuite):
    @pytest.fixture
    async def place(self, database_url: str) -> AsyncIterator[Place]:
        async with postgres_place(database_url) as place:
            yield place
