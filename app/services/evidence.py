"""Evidence of a job: what was said, and what its peers were like before and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.engine.errors import EngineError, NoSuchJob
from app.services.engine_answers import answered
from app.services.evidence_records import (
    EvidenceStore,
    JobObservation,
    TranscriptReader,
    TranscriptRow,
)
from app.services.ports import Store
from app.services.problems import Problem


@dataclass(frozen=True, slots=True)
class EvidenceService:
    """Reads what proves afterwards what a job did."""

    store: Store
    rows: EvidenceStore
    transcripts: TranscriptReader

    async def transcript(self, job_id: str, after: int, limit: int) -> tuple[TranscriptRow, ...]:
        """Entries behind a number, in order. Raises Problem `not-found`."""
        await self._known(job_id)
        with _reading():
            return await self.transcripts.page(job_id, after, limit)

    async def observations(self, job_id: str) -> tuple[JobObservation, ...]:
        """Those before and after the job. Raises Problem `not-found`."""
        await self._known(job_id)
        with _reading():
            return await self.rows.observations(job_id)

    async def _known(self, job_id: str) -> None:
        async with self.store.transaction() as tx:
            with answered():
                await tx.jobs.load(job_id)


@contextmanager
def _reading() -> Iterator[None]:
    """Trouble with the database is `storage-unavailable`, as everywhere."""
    try:
        yield
    except NoSuchJob:
        raise
    except EngineError as error:
        detail = "the database does not answer at the moment"
        raise Problem("storage-unavailable", detail) from error
