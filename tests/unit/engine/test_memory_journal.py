"""The journal in memory does what every journal does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.journal_suite import JournalSuite
from tests.support.journals import Place, memory_place
from tests.support.terms_suite import TermsSuite


class TestMemoryJournal(JournalSuite, TermsSuite):
    @pytest.fixture
    async def place(self) -> AsyncIterator[Place]:
        async with memory_place() as place:
            yield place
