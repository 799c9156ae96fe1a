"""Both sides of api-read and api-start: the service, and Starlette that says the same statements.

First the request is sent once to a service in this process, and all that it says to PostgreSQL is
written down (bench/statements.py). Then both sides, each a process of one uvicorn, answer the same
requests over 16 connections, in turn, on one database.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from app.storage.database import connect
from app.storage.embedded import EmbeddedPostgres
from bench.load import Load, load, message
from bench.rows import Row
from bench.serving import side
from bench.statements import recorded
from bench.stock import Stock, stock
from bench.thirty_steps import SLUG, STEPS, offer

SIDE_BY_SIDE = 16
ROUNDS = 3
_CLUSTERS = """
insert into cluster (id, name, version, created_at)
select 'cluster-' || lpad(to_hex(n), 26, '0'), 'started-' || n, 1, now()
from generate_series(0, %(many)s) n
"""
_NO_PEERS = (
    "update cluster set primary_id = null",
    "delete from cluster_member",
    "delete from peer",
)
"""Planning asks every registered peer for its name, side by side."""
_JOBS = """
select count(*) as jobs, (select count(*) from job_step) as steps,
    (select count(*) from audit where action like 'start%%') as noted from job
"""


@dataclass(frozen=True)
class Question:
    """What is asked: the n-th request, the status of an answer, and which ids are new each time."""

    request: Callable[[str, str, int], bytes]
    """Of key, job and number."""
    status: int
    fresh: tuple[str, ...] = ()


def read(key: str, job_id: str, _: int) -> bytes:
    return message("GET", f"/v1/jobs/{job_id}", key)


def start(key: str, _: str, number: int) -> bytes:
    path = f"/v1/clusters/{cluster_id(number)}/procedures/{SLUG}"
    return message("POST", path, key, b"{}", Idempotency_Key=f"bench-{number}")


def cluster_id(number: int) -> str:
    return f"cluster-{number:026x}"


READ = Question(read, 200)
START = Question(start, 202, ("job", "plan", "cluster", "bench"))


async def measure(question: Question, requests: int) -> list[Row]:
    """The rows of one question."""
    offer()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cw-bench-")))
        folder.chmod(0o755)  # noqa: ASYNC240 - before anything runs
        url = await stack.enter_async_context(EmbeddedPostgres(folder))
        async with stock(folder) as made, await connect(url) as connection:
            many = requests * ROUNDS * 2 + 2
            for statement in _NO_PEERS:
                await connection.execute(statement.encode())
            await connection.execute(_CLUSTERS, {"many": many})
            ids = await _written_down(made, question, folder / "exchange", many)
            key, job_id = made.key, ids.pop("read")
        work = {"url": url, "folder": str(folder), "exchange": str(folder / "exchange"), "ids": ids}
        ours = await stack.enter_async_context(side("bench.ours.service", role="api", **work))
        bare = await stack.enter_async_context(side("bench.bare.api", **work))
        loads: dict[int, list[Load]] = {ours.port: [], bare.port: []}
        number = 0
        for _ in range(ROUNDS):
            for port, of_one in loads.items():
                first = number
                found = await load(
                    port,
                    lambda n, first=first: question.request(key, job_id, first + n),
                    requests=requests,
                    side_by_side=SIDE_BY_SIDE,
                    status=question.status,
                )
                of_one.append(found)
                number += requests
        if question is START:
            await _check(url, requests * ROUNDS * 2)
        return _rows(question, requests, loads[ours.port], loads[bare.port])


async def _written_down(made: Stock, question: Question, file: Path, last: int) -> dict[str, str]:
    """Send it once, as the very last number; the ids in it by their kind, and a job to read."""
    cluster = cluster_id(last)
    path = f"/v1/clusters/{cluster}/procedures/{SLUG}"
    headers = {"Idempotency-Key": f"bench-{last}"}
    await made.story.get("/v1/keys")  # from here on its key is known to have been used
    with recorded() as exchange:
        answer = await made.story.client.post(path, json={}, headers=headers)
    job = answer.json()
    if len(job.get("stages", [{}])[0].get("steps", [])) != STEPS:
        raise RuntimeError(answer.text)
    if question is READ:
        with recorded() as exchange:
            answer = await made.story.client.get(f"/v1/jobs/{job['id']}")
    exchange.answer = answer.content
    exchange.keep(file)
    if question is READ:
        return {"read": job["id"]}
    ids = {"job": job["id"], "plan": job["plan_id"], "cluster": cluster, "bench": f"bench-{last}"}
    return {"read": job["id"], **ids}


async def _check(url: str, started: int) -> None:
    """Both sides have to have stored every job with its steps and its audit row."""
    async with await connect(url) as connection:
        row = await (await connection.execute(_JOBS)).fetchone()
    wanted = {"jobs": started + 1, "steps": (started + 1) * STEPS, "noted": started + 1}
    if row != wanted:
        sys.exit(f"{json.dumps(row)} is stored, and not {json.dumps(wanted)}")


def _rows(question: Question, requests: int, ours: list[Load], bare: list[Load]) -> list[Row]:
    what = "GET a job" if question is READ else "start a job"
    case = f"{what} of {STEPS} steps, {requests:,} requests, {SIDE_BY_SIDE} at a time"
    beside = "bare Starlette and psycopg"
    rows = []
    for measure_name, unit, of, better in (
        ("requests", "1/s", lambda one: one.rate, "more"),
        ("median latency", "ms", lambda one: one.median, "less"),
        ("99th of 100", "ms", lambda one: one.p99, "less"),
    ):
        our, their = (statistics.median(map(of, loads)) for loads in (ours, bare))
        rows.append(Row(case, measure_name, unit, our, beside, their, better))
    return rows
