"""The archive in memory does what every archive does."""

from __future__ import annotations

import pytest

from app.storage.memory_backups import MemoryArchive
from tests.support.archive_suite import Archive, ArchiveSuite


class TestMemoryArchive(ArchiveSuite):
    @pytest.fixture
    def archive(self) -> Archive:
        return MemoryArchive()
