"""What is asked of a service that has much stored, beside one that has little: `growth`.

Two whole services in one process, over two private databases: one with 1,000 jobs and 10,000
events, the other with 100,000 jobs and a million events (`--jobs`, `--events` for more), both with
steps, plans, observations, sealed evidence, audit and deliveries in proportion (bench/stored.py),
and with all indexes. Each request is sent to one and the other in turn, to the end of the answer,
and the median counts; so is what a worker asks of the database again and again. Both sides have to
give as many rows as they should: a request that finds nothing finds nothing on either side. What is
well kept takes the same time on both: the ratio stays near 1 where pages are equally full.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.engine.memory import write_cursor
from app.storage.census import PostgresCensus
from bench import stored
from bench.command import many_files, parser, tell
from bench.rows import Row
from bench.stock import Stock, stock
from tests.support.api_story import ApiStory

FEW = stored.Amount(1_000, 10_000)
MANY = stored.Amount(100_000, 1_000_000)
ROUNDS = 15
"""Above ten, from where on the server may plan a statement without looking at its values."""
ENOUGH_SECONDS = 4.0
"""For all rounds of one question on both sides."""
KEEP_SECONDS = 400 * 86_400.0
"""How long ended deliveries are kept here: nothing is swept away while it is measured."""


@dataclass(frozen=True)
class Side:
    """One service and what there is to ask about in it."""

    stock: Stock
    amount: stored.Amount
    limited: ApiStory
    """A caller who reaches two clusters of many."""
    nowhere: ApiStory
    """A caller who reaches a cluster about which nothing is stored."""
    census: PostgresCensus


Ask = Callable[[Side], Awaitable[Any]]
PAGE = 50


def get(path: str | Callable[[Side], str], **query: Any) -> Ask:
    """A request by the administrator; values that are functions are given the side."""

    async def ask(side: Side) -> Any:
        return await _sent(side, side.stock.story, path, query)

    return ask


def limited(path: str, **query: Any) -> Ask:
    async def ask(side: Side) -> Any:
        return await _sent(side, side.limited, path, query)

    return ask


def nowhere(path: str, **query: Any) -> Ask:
    async def ask(side: Side) -> Any:
        return await _sent(side, side.nowhere, path, query)

    return ask


async def _sent(
    side: Side, caller: ApiStory, path: str | Callable[[Side], str], query: Mapping[str, Any]
) -> Any:
    given = {name: value(side) if callable(value) else value for name, value in query.items()}
    answer = await caller.get(path(side) if callable(path) else path, **given)
    return len(answer["items"]) if "items" in answer else "one"


async def planned(side: Side) -> Any:
    await side.stock.story.plan(side.stock.cluster_id, "backup", {})
    return "one"


async def started(side: Side) -> Any:
    """A job of a new plan, and its cancel, so that the cluster is free for the next."""
    story = side.stock.story
    path = f"/v1/clusters/{side.stock.cluster_id}/procedures/backup"
    job = await story.post(path, {})
    await story.post(f"/v1/jobs/{job['id']}/cancel")
    return "one"


async def scraped(side: Side) -> Any:
    await side.census.count()
    return "one"


async def swept(side: Side) -> Any:
    return await side.stock.service.dispatcher.outbox.sweep(keep=KEEP_SECONDS)


async def claimed(side: Side) -> Any:
    return await side.stock.service.dispatcher.outbox.claim("bench", hold=1.0, busy=[])


async def unsealed(side: Side) -> Any:
    evidence = side.stock.service.services.evidence.rows
    return [*await evidence.unsealed(45.0, 20), *await evidence.unobserved(10.0, 20)]


def pruned(kind: str) -> Ask:
    async def ask(side: Side) -> Any:
        retention = side.stock.service.services.retention
        return await retention.rows.prune(kind, retention.keep)

    return ask


def ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


_JOB = f"/v1/jobs/{stored.job_id(stored.LONG_JOB)}"
_CLUSTER = f"/v1/clusters/{stored.cluster_id(3)}"
_DELIVERIES = f"/v1/webhooks/{stored.WEBHOOK}/deliveries"

ASKED: Mapping[str, Mapping[str, Ask]] = {
    "jobs": {
        "newest": get("/v1/jobs"),
        "deep in the list": get(
            "/v1/jobs", cursor=lambda side: write_cursor(stored.job_id(side.amount.jobs // 2))
        ),
        "of a state": get("/v1/jobs", state="waiting"),
        "of a procedure that has none": get("/v1/jobs", procedure="upgrade"),
        "of a change": get("/v1/jobs", change_number="CHG77"),
        "of a cluster": get("/v1/jobs", cluster_id=stored.cluster_id(3)),
        "by a key limited to two clusters": limited("/v1/jobs"),
        "to approve": get("/v1/approvals"),
        "to approve, of a procedure that has none": get("/v1/approvals", procedure="upgrade"),
        "one": get(_JOB),
    },
    "events": {
        "of a job, from the first": get(f"{_JOB}/events"),
        "of a job, the last": get(f"{_JOB}/events", after=40),
        "of a cluster": get(f"{_CLUSTER}/events"),
        "a cluster's history": get(f"{_CLUSTER}/history"),
    },
    "clusters": {
        "first": get("/v1/clusters"),
        "with a label": get("/v1/clusters", label="site=site-3"),
    },
    "audit": {
        "newest": get("/v1/audit"),
        "of a key": get("/v1/audit", actor="key-rare"),
        "refused": get("/v1/audit", outcome="denied"),
        "about an object": get("/v1/audit", object_id=stored.job_id(77)),
        "about an object that has none": get("/v1/audit", object_id="job-none"),
        "of an hour long ago": get("/v1/audit", since=ago(200.05), until=ago(200)),
        "before a time long ago": get("/v1/audit", until=ago(200)),
        "by a key limited to two clusters": limited("/v1/audit"),
        "by a key that reaches nothing": nowhere("/v1/audit"),
    },
    "deliveries": {
        "newest": get(_DELIVERIES),
        "that failed": get(_DELIVERIES, state="failed"),
        "of a job": get(_DELIVERIES, job_id=stored.job_id(77)),
    },
    "work": {
        "plan": planned,
        "start and cancel": started,
        "diagnosis": get(lambda side: f"/v1/clusters/{side.stock.cluster_id}/diagnosis"),
    },
    "by itself": {
        "what to seal and look at, each 5 s": unsealed,
        "a delivery to send, each 1 s": claimed,
        "deliveries to sweep, each 5 min": swept,
        "figures for metrics, each 5 s": scraped,
        "events to prune, each hour": pruned("events"),
        "plans to prune, each hour": pruned("plans"),
    },
}
EQUAL = {"newest", "deep in the list", "of a state", "of a change", "of a job", "one"}
"""Questions whose answers have as many rows on both sides, if those are long enough for a page."""


async def main(few: stored.Amount, many: stored.Amount, rounds: int) -> Sequence[Row]:
    """Fill both, then ask in turn."""
    async with AsyncExitStack() as stack:
        sides = [await _side(stack, few), await _side(stack, many)]
        case = f"{many.jobs:,} jobs, {many.events:,} events"
        beside = f"{few.jobs:,} jobs, {few.events:,} events"
        rows = []
        for group, questions in ASKED.items():
            for name, ask in questions.items():
                spent, given = await _in_turn(sides, ask, rounds)
                if name in EQUAL and given[0] != given[1]:
                    sys.exit(f"{group}: {name}: {given[0]} rows of few and {given[1]} of many")
                note = "" if given[0] == given[1] else f"{given[0]} rows beside {given[1]}"
                ours, theirs = (statistics.median(side) for side in (spent[1], spent[0]))
                rows.append(Row(case, f"{group}: {name}", "ms", ours, beside, theirs, note=note))
        return rows


async def _in_turn(
    sides: Sequence[Side], ask: Ask, rounds: int
) -> tuple[list[list[float]], list[Any]]:
    """Milliseconds by side and round, and what was answered last; the first round is not kept."""
    spent: list[list[float]] = [[] for _ in sides]
    given: list[Any] = [None for _ in sides]
    began = time.monotonic()
    for number in range(rounds + 1):
        for place, side in enumerate(sides):
            begin = time.perf_counter()
            given[place] = await ask(side)
            if number:
                spent[place].append((time.perf_counter() - begin) * 1000)
        if number and time.monotonic() - began > ENOUGH_SECONDS:
            break
    return spent, given


async def _side(stack: AsyncExitStack, amount: stored.Amount) -> Side:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cw-bench-")))
    folder.chmod(0o755)  # noqa: ASYNC240 - before anything runs
    one = await stack.enter_async_context(stock(folder))
    plan = await one.plan()
    await stored.fill(
        one.url, amount, plan=plan.plan, observations=plan.observations, key_id=one.key_id
    )
    reached = (stored.cluster_id(stored.REACHED), stored.cluster_id(stored.REACHED + 1))
    return Side(
        stock=one,
        amount=amount,
        limited=await stack.enter_async_context(one.limited_to(*reached)),
        nowhere=await stack.enter_async_context(one.limited_to(f"cluster-{'z' * 26}")),
        census=PostgresCensus(one.service.engine.pool),
    )


if __name__ == "__main__":
    asking = parser(__doc__)
    asking.add_argument("--jobs", type=int, default=MANY.jobs)
    asking.add_argument("--events", type=int, default=MANY.events)
    asked = asking.parse_args()
    many_files()
    if asked.short:
        found = asyncio.run(main(stored.Amount(200, 400), stored.Amount(400, 800), 1))
    else:
        found = asyncio.run(main(FEW, stored.Amount(asked.jobs, asked.events), ROUNDS))
    tell("growth", found, asked.rows)
