"""Evidence of a job: what was said, what its peers were like, and all of it in one signed document.

A job that has ended is sealed: a worker makes its document, signs it and keeps it, seconds after
the end. From then on the document is what is served, so what rows are altered or pruned to later
changes nothing in it. Of a job under way a document is made when it is asked for, and says that it
is partial. Both are signed.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from app.domain.clock import Clock
from app.engine.errors import EngineError, NoSuchJob
from app.engine.failures import place
from app.engine.records import JobRecord
from app.security.acting import now_acting
from app.security.chain import canonical
from app.security.signing import KeyUnusable, SigningKey, genuine, new_key, sign, signed_by
from app.security.vault import Vault
from app.services.engine_answers import answered
from app.services.evidence_document import (
    Document,
    Facts,
    document_of,
    manifest_of,
    sections_of,
)
from app.services.evidence_records import (
    ChainedEvent,
    EvidenceStore,
    JobObservation,
    Sealed,
    TranscriptReader,
    TranscriptRow,
)
from app.services.ports import Backups, Store
from app.services.problems import Problem, not_found

log = logging.getLogger(__name__)
SEALED_AT_ONCE = 10
PAGE = 1000


@dataclass(frozen=True, slots=True)
class EvidenceService:
    """Reads and seals what proves afterwards what a job did."""

    store: Store
    rows: EvidenceStore
    transcripts: TranscriptReader
    backups: Backups
    vault: Vault
    clock: Clock
    version: str
    _refused: set[str] = field(default_factory=set)

    async def transcript(self, job_id: str, after: int, limit: int) -> tuple[TranscriptRow, ...]:
        """Entries behind a number, in order. Raises Problem `not-found`."""
        await self._job(job_id)
        with _reading():
            return await self.transcripts.page(job_id, after, limit)

    async def observations(self, job_id: str) -> tuple[JobObservation, ...]:
        """Those before and after the job. Raises Problem `not-found`."""
        await self._job(job_id)
        with _reading():
            return await self.rows.observations(job_id)

    async def document(self, job_id: str, *, from_rows: bool = False) -> bytes:
        """The signed document, canonical JSON: the sealed one where there is one.

        `from_rows` makes it anew from what lies in the database now, to be compared. Raises Problem
        `not-found`.
        """
        with _reading():
            sealed = await self.rows.sealed(job_id)
            if sealed is not None and not from_rows:
                job = await self._job_if_any(job_id)
                if job is None:
                    _refuse_out_of_reach(job_id, sealed)
                if job is None or sealed.event_seq >= job.last_event_seq:
                    return zlib.decompress(sealed.document)
            made, _ = await self._made(await self._job(job_id), sealed)
            return canonical(made)

    async def keys(self) -> tuple[SigningKey, ...]:
        """The keys that documents are or were signed with, oldest first; one at least.

        A row that this service did not make is not among them: its private half does not open.
        """
        with _reading():
            kept = await self.rows.keys()
            if not kept:
                kept = await self.rows.first_key(new_key(self.vault, self.clock.now()))
            return tuple(key for key in kept if genuine(key, self.vault))

    async def rotate_key(self) -> SigningKey:
        """A new key, which signs from now on; what older ones signed stays good."""
        with _reading():
            key = new_key(self.vault, self.clock.now())
            await self.rows.add_key(key)
        return key

    async def seal_some(self, age: float) -> int:
        """Seal jobs that ended more than `age` seconds ago and are not sealed yet; how many.

        One that cannot be sealed, by a fault of ours, is told of once and keeps no other waiting;
        the next process tries it again. Raises EngineError, Problem, KeyUnusable.
        """
        done = 0
        for job_id in await self.rows.unsealed(age, SEALED_AT_ONCE + len(self._refused)):
            if job_id in self._refused:
                continue
            try:
                await self.seal(job_id)
            except (EngineError, Problem, KeyUnusable):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the others must be sealed
                log.error(  # noqa: TRY400 - a message could hold a secret
                    "job %s cannot be sealed: %s", job_id, place(error)
                )
                self._refused.add(job_id)
            else:
                done += 1
        return done

    async def seal(self, job_id: str) -> None:
        """Make and keep the document of an ended job, in place of one from before a retry."""
        job = await self._job(job_id)
        if not job.state.ended:
            return
        made, facts = await self._made(job, await self.rows.sealed(job_id))
        document = await asyncio.to_thread(lambda: zlib.compress(canonical(made)))
        await self.rows.keep(
            Sealed(
                job_id=job_id,
                made_at=self.clock.now(),
                digest=made["digest"],
                key_id=signed_by(made["signatures"][0]),
                event_seq=job.last_event_seq,
                event_hash=facts.events[-1].hash if facts.events else "",
                document=document,
            )
        )

    async def _made(self, job: JobRecord, sealed: Sealed | None) -> tuple[Document, Facts]:
        events: list[ChainedEvent] = []
        entries: list[TranscriptRow] = []
        if sealed is not None and sealed.pruned:
            events, entries = _earlier(sealed)
        while page := await self.rows.events(job.id, events[-1].event.seq if events else 0, PAGE):
            events += page
        while rows := await self.transcripts.page(job.id, entries[-1].seq if entries else 0, PAGE):
            entries += rows
        facts = Facts(
            job=job,
            events=[one for one in events if one.event.seq <= job.last_event_seq],
            transcript=entries,
            observations=await self.rows.observations(job.id),
            backups=await self.backups.of_job(job.id),
            version=self.version,
        )
        key = (await self.keys())[-1:]
        if not key:
            raise KeyUnusable("no evidence key opens with this vault")
        return await asyncio.to_thread(self._signed, facts, key[0]), facts

    def _signed(self, facts: Facts, key: SigningKey) -> Document:
        sections: dict[str, Any] = sections_of(facts)
        complete = facts.job.state.ended
        manifest = manifest_of(sections, self.clock.now(), complete=complete)
        return document_of(manifest, sections, sign(canonical(manifest), key, self.vault))

    async def _job(self, job_id: str) -> JobRecord:
        async with self.store.transaction() as tx:
            with answered():
                return await tx.jobs.load(job_id)

    async def _job_if_any(self, job_id: str) -> JobRecord | None:
        async with self.store.transaction() as tx:
            try:
                return await tx.jobs.load(job_id)
            except NoSuchJob:
                return None


def _refuse_out_of_reach(job_id: str, sealed: Sealed) -> None:
    """A job that is not found may be gone, or out of the caller's reach: its cluster tells."""
    act = now_acting()
    clusters = None if act is None else act.principal.clusters
    if clusters is not None and sealed.sections["job"]["cluster_id"] not in clusters:
        raise not_found("job", job_id)


def _earlier(sealed: Sealed) -> tuple[list[ChainedEvent], list[TranscriptRow]]:
    """What was pruned from the rows of a job that went on after it had been sealed."""
    sections = sealed.sections
    events = [ChainedEvent.read(sealed.job_id, event) for event in sections["events"]]
    entries = [
        TranscriptRow(entry["seq"], {k: v for k, v in entry.items() if k != "hash"}, entry["hash"])
        for entry in sections["transcript"]
    ]
    return events, entries


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
