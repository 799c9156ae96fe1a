"""What the service takes while nothing happens: `idle`.

An API process and a worker of the service over a private PostgreSQL, first with nothing stored,
then with 1,000 clusters that are watched at the default interval and 1,000 jobs that wait a week
for approval. CPU of the three, memory, connections and transactions are taken for 40 s after things
have settled, and told per hour as 90 times as much: an extrapolation, which leaves out what comes
once an hour (retention). Watching is work: 1,000 clusters each 300 s are 3.3 looks a second, each
of which asks a peer for its status and configuration, judges, and writes down that nothing changed.
The peers, one each, are simulated inside the worker, whose CPU so holds what the simulation takes;
that is why the same is measured once more with watching off.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.storage.database import Connection, connect, migrate
from app.storage.embedded import EmbeddedPostgres
from bench.command import benchmark
from bench.rows import Row
from bench.serving import side
from bench.stock import Stock, stock

SETTLE_SECONDS = 12.0
MEASURE_SECONDS = 40.0
CLUSTERS = 1000
SERVICE = "bench.ours.service"
TICKS = os.sysconf("SC_CLK_TCK") if sys.platform == "linux" else 100

_MORE_CLUSTERS = (
    """
    insert into peer (id, name, address, endpoints, version, created_at)
    select 'peer-' || lpad(to_hex(n), 26, '0'), 'watched-' || n,
        '10.0.' || n / 250 || '.' || n %% 250, endpoints, 1, now()
    from (select * from peer where id = %(peer)s) one, generate_series(1, %(many)s) n
    """,
    """
    insert into cluster (id, name, primary_id, version, created_at)
    select 'cluster-' || lpad(to_hex(n), 26, '0'), 'watched-' || n || '.example.com',
        'peer-' || lpad(to_hex(n), 26, '0'), 1, now()
    from generate_series(1, %(many)s) n
    """,
    """
    insert into cluster_member (cluster_id, position, peer_id)
    select 'cluster-' || lpad(to_hex(n), 26, '0'), 1, 'peer-' || lpad(to_hex(n), 26, '0')
    from generate_series(1, %(many)s) n
    """,
    """
    insert into cluster_watch (cluster_id, next_at)
    select 'cluster-' || lpad(to_hex(n), 26, '0'),
        now() + interval '1 s' * %(spread)s * n / %(many)s
    from generate_series(1, %(many)s) n
    """,
)
_MORE_JOBS = (
    """
    insert into job select (jsonb_populate_record(one, jsonb_build_object(
        'id', 'job-' || lpad(to_hex(n), 26, '0'), 'last_event_seq', 0,
        'cluster_id', 'cluster-' || lpad(to_hex(n), 26, '0'),
        'peers', jsonb_build_array('peer-' || lpad(to_hex(n), 26, '0')),
        'plan', jsonb_set(one.plan, '{cluster_id}',
            to_jsonb('cluster-' || lpad(to_hex(n), 26, '0')))))).*
    from job as one, generate_series(1, %(many)s) n where one.id = %(job)s
    """,
    """
    insert into job_peer (job_id, peer_id, holds)
    select 'job-' || lpad(to_hex(n), 26, '0'), 'peer-' || lpad(to_hex(n), 26, '0'), true
    from generate_series(1, %(many)s) n
    """,
    """
    insert into job_step select (jsonb_populate_record(one, jsonb_build_object(
        'job_id', 'job-' || lpad(to_hex(n), 26, '0')))).*
    from job_step as one, generate_series(1, %(many)s) n where one.job_id = %(job)s
    """,
    """
    insert into procrastinate_jobs (queue_name, task_name, args, scheduled_at, queueing_lock)
    select one.queue_name, one.task_name,
        jsonb_build_object('job_id', 'job-' || lpad(to_hex(n), 26, '0')), one.scheduled_at,
        'job:job-' || lpad(to_hex(n), 26, '0')
    from (select * from procrastinate_jobs where queueing_lock = 'job:' || %(job)s) one,
        generate_series(1, %(many)s) n
    """,
)
_WAITING = """
select count(*) as found from job where approval = 'pending' and state = 'waiting' and holds
"""
_LOOKS = "select coalesce(sum(passes), 0) as found from cluster_period"
_TRANSACTIONS = """
select xact_commit + xact_rollback as found from pg_stat_database
where datname = current_database()
"""
_CONNECTIONS = """
select count(*) as found from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""


@dataclass(frozen=True)
class Taken:
    """What the three took in the time measured: CPU seconds, MB, and the rest by count."""

    api: float
    worker: float
    database: float
    api_memory: float
    worker_memory: float
    connections: int
    transactions: int
    looks: int


@dataclass(frozen=True)
class Place:
    """A database, and for how long to look at those who use it."""

    url: str
    folder: Path
    settle: float
    seconds: float


async def main(short: bool) -> list[Row]:
    """Nothing, then all of it, then all of it unwatched."""
    many, settle, seconds = (60, 1.0, 6.0) if short else (CLUSTERS, SETTLE_SECONDS, MEASURE_SECONDS)
    spread = 60.0 if short else 300.0  # seconds over which the clusters' turns come
    with tempfile.TemporaryDirectory(prefix="cw-bench-") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240 - before anything runs
        async with EmbeddedPostgres(Path(folder)) as url:
            await migrate(url)
            place = Place(url, Path(folder), settle, seconds)
            nothing = await _taken(place, watched=True)
            async with stock(place.folder) as made:
                job_id = await _waiting_job(made)
                peer = made.peers[0]
            async with await connect(url) as connection:
                await connection.execute("set session_replication_role = replica")
                for statement in (*_MORE_CLUSTERS, *_MORE_JOBS):
                    values = {"many": many, "spread": spread, "peer": peer, "job": job_id}
                    await connection.execute(statement.encode(), values)
                await connection.execute("vacuum analyze")
            watched = await _taken(place, watched=True)
            unwatched = await _taken(place, watched=False)
            async with await connect(url) as connection:
                waiting = await _count(connection, _WAITING)
    if waiting != many + 1 or watched.looks < 1 or unwatched.looks:
        sys.exit(f"{waiting} jobs wait, {watched.looks} and {unwatched.looks} looks were taken")
    what = f"{many:,} clusters, {many:,} jobs wait for approval"
    looks = f"{watched.looks} looks in {seconds:.0f} s"
    return [
        *_rows(f"{what}, watched", watched, nothing, seconds, looks),
        *_rows(f"{what}, watching off", unwatched, nothing, seconds),
    ]


async def _waiting_job(made: Stock) -> str:
    body = {"approvals": {"minimum": 1}}
    path = f"/v1/clusters/{made.cluster_id}/procedures/backup"
    job = await made.story.post(path, body)
    if job["state"] != "waiting":
        raise RuntimeError(f"the job does not wait: {job['state']}")
    return str(job["id"])


async def _taken(place: Place, *, watched: bool) -> Taken:
    """Start API and worker, let things settle, and look twice."""
    settings = {} if watched else {"watch_interval": 0}
    work = {"url": place.url, "folder": str(place.folder), "settings": settings}
    async with (
        side(SERVICE, role="api", **work) as api,
        side(SERVICE, role="worker", **work) as worker,
        await connect(place.url) as connection,
    ):
        await asyncio.sleep(place.settle)
        first = await _sample(connection, place, api.pid, worker.pid)
        await asyncio.sleep(place.seconds)
        then = await _sample(connection, place, api.pid, worker.pid)
    return Taken(
        api=then.api - first.api,
        worker=then.worker - first.worker,
        database=then.database - first.database,
        api_memory=then.api_memory,
        worker_memory=then.worker_memory,
        connections=then.connections,
        transactions=then.transactions - first.transactions,
        looks=then.looks - first.looks,
    )


async def _sample(connection: Connection, place: Place, api: int, worker: int) -> Taken:
    transactions = await _count(connection, _TRANSACTIONS)
    return Taken(
        api=_cpu(api),
        worker=_cpu(worker),
        database=await asyncio.to_thread(_database_cpu, place.folder),
        api_memory=_memory(api),
        worker_memory=_memory(worker),
        connections=await _count(connection, _CONNECTIONS),
        transactions=transactions,
        looks=await _count(connection, _LOOKS),
    )


async def _count(connection: Connection, statement: str) -> int:
    row = await (await connection.execute(statement.encode())).fetchone()
    return 0 if row is None else int(row["found"])


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _cpu(pid: int, *, children: bool = False) -> float:
    """CPU seconds of a process, with those of its children that have ended."""
    return sum(int(ticks) for ticks in _stat(pid)[11 : 15 if children else 13]) / TICKS


def _database_cpu(folder: Path) -> float:
    """CPU seconds of the server: of its first process and all that this one has and had."""
    first = int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    spent = _cpu(first, children=True)
    for path in Path("/proc").iterdir():
        with suppress(OSError):
            if path.name.isdigit() and _stat(int(path.name))[1] == str(first):
                spent += _cpu(int(path.name))
    return spent


def _memory(pid: int) -> float:
    """Resident memory in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 2**10


def _rows(case: str, ours: Taken, nothing: Taken, seconds: float, looks: str = "") -> Iterator[Row]:
    hours = 3600 / seconds
    beside = "nothing stored"
    for measure, unit, of in (
        ("CPU of the API", "s/h", lambda taken: taken.api * hours),
        ("CPU of the worker", "s/h", lambda taken: taken.worker * hours),
        ("CPU of PostgreSQL", "s/h", lambda taken: taken.database * hours),
        ("memory of the API", "MB", lambda taken: taken.api_memory),
        ("memory of the worker", "MB", lambda taken: taken.worker_memory),
        ("connections to PostgreSQL", "", lambda taken: taken.connections),
        ("transactions", "1/h", lambda taken: taken.transactions * hours),
    ):
        yield Row(case, measure, unit, of(ours), beside, of(nothing), note=looks)


if __name__ == "__main__":
    if not Path("/proc/self/stat").exists():
        sys.exit("CPU of other processes is read from /proc, which only Linux has")
    benchmark("idle", __doc__, lambda short: asyncio.run(main(short)))
