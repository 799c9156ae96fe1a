"""Wake-ups through Procrastinate, on the service's own PostgreSQL.

Procrastinate brings a wake-up to one of many workers within milliseconds and keeps timers. It does
not decide who owns a job and it may lose a wake-up: the journal's claim and the sweeper see to
that. Two faults of its worker are lived with (found in 3.10): after a database restart its LISTEN
is dead, and its heartbeat stops while it drains. So its heartbeat decides nothing here, it polls
beside listening, and its worker runs in a loop that starts it anew when it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

import procrastinate
import psycopg
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.tasks import Task
from psycopg.rows import dict_row

from app.engine.errors import JournalDown

log = logging.getLogger(__name__)
QUEUE = "jobs"
_FORGET = """
delete from procrastinate_jobs where queueing_lock = %(lock)s and status = 'todo'
"""
_RUNNING = """
select id from procrastinate_jobs
where status = 'doing' and queue_name = %(queue)s and args ->> 'job_id' = %(job)s
"""
_STATS = """
select count(*) filter (where status = 'todo') as waiting,
    count(*) filter (where status = 'doing') as running
from procrastinate_jobs where queue_name = %(queue)s
"""
_CLEAR = """
delete from procrastinate_jobs where queue_name = %(queue)s and (
    status in ('failed', 'aborted', 'cancelled', 'succeeded')
    or (status = 'doing' and worker_id is null))
"""


class ProcrastinateQueue:
    """Implements Wakeups. `async with` opens its connections; `advance` is set before `run`."""

    def __init__(self, url: str, *, polling: float = 0.5, graceful: float = 5.0) -> None:
        """`url` is libpq's. `polling` and `graceful` (the wait for running jobs) are seconds."""
        connector = procrastinate.PsycopgConnector(
            conninfo=url,
            min_size=1,
            max_size=6,
            timeout=600,
            reconnect_timeout=2.0,
            kwargs={"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3},
        )
        self.advance: Callable[[str], Awaitable[None]] | None = None
        self._polling = polling
        self._graceful = graceful
        self._app = procrastinate.App(connector=connector)
        self._connector = connector
        self._task: Task[Any, Any, Any] = self._app.task(name="clusterway.advance", queue=QUEUE)(
            self._serve
        )

    async def __aenter__(self) -> Self:
        await self._app.open_async()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._app.close_async()

    async def _serve(self, job_id: str) -> None:
        if self.advance is None:
            raise RuntimeError("advance is not set")
        try:
            await self.advance(job_id)
        except Exception as error:  # noqa: BLE001 - the worker would log the message, secrets and all
            log.error(  # noqa: TRY400 - a message could hold a secret
                "advance of job %s failed: %s", job_id, type(error).__name__
            )

    async def wake(self, job_id: str, at: float = 0.0) -> None:
        """See Wakeups."""
        when = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=at)
        with _as_journal_down():
            async with self._connector.pool.connection() as connection:
                await self.enqueue(connection, job_id, when)

    async def enqueue(
        self, connection: psycopg.AsyncConnection[Any], job_id: str, at: dt.datetime
    ) -> None:
        """Queue a wake-up in the connection's transaction, in place of one still to come."""
        lock = f"job:{job_id}"
        await connection.execute(_FORGET, {"lock": lock})
        deferrer = self._task.configure(
            connection=connection, queueing_lock=lock, schedule_at=at.astimezone(dt.UTC)
        )
        with contextlib.suppress(AlreadyEnqueued):
            async with connection.transaction():
                await deferrer.defer_async(job_id=job_id)

    async def abort(self, job_id: str) -> None:
        """See Wakeups."""
        with _as_journal_down():
            for row in await self._rows(_RUNNING, job=job_id, queue=QUEUE):
                await self._app.job_manager.cancel_job_by_id_async(row["id"], abort=True)

    async def stats(self) -> Mapping[str, int]:
        """See Wakeups."""
        with _as_journal_down():
            row = (await self._rows(_STATS, queue=QUEUE))[0]
        return {"waiting": row["waiting"], "running": row["running"]}

    async def clear(self) -> None:
        """Remove what ended badly and what dead workers left; our journal knows all of it."""
        with _as_journal_down():
            await self._rows(_CLEAR, queue=QUEUE)

    async def run(self, concurrency: int) -> None:
        """See Wakeups. Cancelling waits for running jobs, at most `graceful` seconds."""
        pause = 0.1
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=concurrency,
                    fetch_job_polling_interval=self._polling,
                    abort_job_polling_interval=self._polling,
                    shutdown_graceful_timeout=self._graceful,
                    delete_jobs="always",
                    install_signal_handlers=False,
                )
                log.warning("the wake-up worker ended; it is started again")
            except Exception as error:  # noqa: BLE001 - whatever ended it, wake-ups must go on
                log.warning("the wake-up worker failed (%s)", type(error).__name__)
            lived = asyncio.get_running_loop().time() - began
            pause = 0.1 if lived > 30 else min(2.0, pause * 2)
            await asyncio.sleep(pause)

    async def _rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        async with (
            self._connector.pool.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def _as_journal_down() -> Any:
    try:
        yield
    except (psycopg.OperationalError, ConnectorException, psycopg.InterfaceError) as error:
        raise JournalDown(f"the database does not answer ({type(error).__name__})") from error
