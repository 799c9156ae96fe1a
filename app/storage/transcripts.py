"""Transcript entries in PostgreSQL: chained, numbered, bounded for each job.

The head of a job's chain is a row of its own, locked while entries are added: two workers that both
believe to have the job write one behind the other, and an entry that is sent again after a lost
answer is recognised by its notebook and number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolClosed, PoolTimeout

from app.engine.errors import JournalDown
from app.security.chain import canonical, link
from app.services.evidence_records import TranscriptRow
from app.services.transcript import Entry, stored
from app.storage.database import Pool

LARGEST_JOB = 8 * 1024 * 1024
"""Characters of text kept of one job; behind them entries keep everything but their text."""
NO_TEXT = "[text left out: the transcript of this job is full]"

_HEADS = """
insert into job_transcript_head (job_id) select id from job where id = any(%(jobs)s)
on conflict do nothing
"""
_LOCK = """
select * from job_transcript_head where job_id = any(%(jobs)s) order by job_id for update
"""
_INSERT = """
insert into job_transcript (job_id, seq, at, body, hash)
values (%(job_id)s, %(seq)s, %(at)s, %(body)s, %(hash)s)
"""
_MOVE = """
update job_transcript_head set seq = %(seq)s, hash = %(hash)s, size = %(size)s,
    notebook = %(notebook)s, number = %(number)s
where job_id = %(job_id)s
"""
_PAGE = """
select seq, body, hash from job_transcript
where job_id = %(job)s and seq > %(after)s order by seq limit %(limit)s
"""


class Transcripts:
    """Implements `app.services.transcript_writer.TranscriptRows`, and reads."""

    def __init__(self, pool: Pool, largest_job: int = LARGEST_JOB) -> None:
        self._pool = pool
        self._largest = largest_job

    async def append(self, entries: Sequence[Entry]) -> None:
        """See TranscriptRows."""
        jobs = sorted({entry.job_id for entry in entries})
        try:
            async with self._pool.connection() as connection, connection.transaction():
                heads = await (await connection.execute(_LOCK, {"jobs": jobs})).fetchall()
                if len(heads) < len(jobs):
                    await connection.execute(_HEADS, {"jobs": jobs})
                    heads = await (await connection.execute(_LOCK, {"jobs": jobs})).fetchall()
                rows, moved = self._chained(entries, {head["job_id"]: head for head in heads})
                if not rows:
                    return
                async with connection.cursor() as cursor:
                    await cursor.executemany(_INSERT, rows)
                    await cursor.executemany(_MOVE, moved)
        except _TROUBLE as error:
            raise JournalDown(f"the database does not answer ({type(error).__name__})") from error

    async def page(self, job_id: str, after: int, limit: int) -> tuple[TranscriptRow, ...]:
        """Entries behind a number, in order."""
        values = {"job": job_id, "after": after, "limit": limit}
        try:
            async with self._pool.connection() as connection:
                rows = await (await connection.execute(_PAGE, values)).fetchall()
        except _TROUBLE as error:
            raise JournalDown(f"the database does not answer ({type(error).__name__})") from error
        return tuple(TranscriptRow(row["seq"], row["body"], row["hash"].hex()) for row in rows)

    def _chained(
        self, entries: Sequence[Entry], heads: Mapping[str, Mapping[str, Any]]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        rows: list[dict[str, Any]] = []
        moved = {job_id: dict(head) for job_id, head in heads.items()}
        for entry in entries:
            head = moved.get(entry.job_id)
            if head is None:
                continue
            if head["notebook"] == entry.notebook and head["number"] >= entry.number:
                continue
            body = {**stored(entry), "seq": head["seq"] + 1}
            if head["size"] + len(entry.text) > self._largest:
                body["text"] = NO_TEXT
            body_hash = link(bytes(head["hash"]), canonical(body))
            rows.append(
                {
                    "job_id": entry.job_id,
                    "seq": body["seq"],
                    "at": entry.at,
                    "body": Jsonb(body),
                    "hash": body_hash,
                }
            )
            head.update(
                seq=body["seq"],
                hash=body_hash,
                size=head["size"] + len(body["text"]),
                notebook=entry.notebook,
                number=entry.number,
            )
        touched = {row["job_id"] for row in rows}
        return rows, [head for job_id, head in moved.items() if job_id in touched]


_TROUBLE = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, PoolClosed)
