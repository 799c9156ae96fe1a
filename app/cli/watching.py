"""Showing a job as it goes: stages, steps, progress bars and the time still expected.

On a terminal the picture is redrawn in place; elsewhere each finished step is a line.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from app.cli.client import ENDED, Client

MARKS = {
    "pending": ("·", "dim"),
    "running": ("▸", "cyan"),
    "waiting": ("▸", "yellow"),
    "done": ("✓", "green"),
    "skipped": ("-", "dim"),
    "failed": ("✗", "red"),
    "unknown": ("?", "magenta"),
}
REDRAW_SECONDS = 0.25
OVER = frozenset({"done", "skipped"})


async def watch(client: Client, job_id: str, console: Console, *, pace: float = 1.0) -> str:
    """Show the job until it has ended; returns its state. Raises ApiError.

    `pace` is how many appliance seconds pass in one second, for the estimate.
    """
    plan = await _plan(client, job_id)
    expected = {step["key"]: step["expected_seconds"] / pace for step in _steps(plan)}
    if console.is_terminal:
        return await _live(client, job_id, console, expected)
    return await _lines(client, job_id, console, expected)


async def _plan(client: Client, job_id: str) -> dict[str, Any]:
    job = await client.get(f"/v1/jobs/{job_id}")
    return await client.get(f"/v1/plans/{job['plan_id']}")


async def _live(client: Client, job_id: str, console: Console, expected: dict[str, float]) -> str:
    job = await client.get(f"/v1/jobs/{job_id}")
    with Live(picture(job, expected), console=console, refresh_per_second=8) as live:
        async for job in _changes(client, job_id):
            live.update(picture(job, expected))
    return str(job["state"])


async def _changes(client: Client, job_id: str) -> AsyncIterator[dict[str, Any]]:
    """The job whenever something happened, at most every REDRAW_SECONDS."""
    news = asyncio.Event()

    async def listen() -> None:
        async for _ in client.events(job_id):
            news.set()

    listening = asyncio.create_task(listen())
    try:
        while True:
            job = await client.get(f"/v1/jobs/{job_id}")
            yield job
            if job["state"] in ENDED:
                return
            waiting = asyncio.create_task(news.wait())
            await asyncio.wait({waiting, listening}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if listening.done():
                listening.result()
            news.clear()
            await asyncio.sleep(REDRAW_SECONDS)
    finally:
        listening.cancel()


async def _lines(client: Client, job_id: str, console: Console, expected: dict[str, float]) -> str:
    total = sum(expected.values()) or 1.0
    begun = time.monotonic()
    done = 0.0
    async for event in client.events(job_id):
        data = event["data"]
        if event["type"] == "job.step.finished":
            done += expected.get(data["step"], 0.0)
            mark, _ = MARKS[data["state"]]
            note = f"  ({data['note']})" if data.get("note") else ""
            percent = min(100, round(100 * done / total))
            left = time_left(time.monotonic() - begun, done, total)
            console.print(
                f"  {mark} {data['title']}{note}",
                Text(f"  {percent:3d} %, about {left:.0f} s left", style="dim"),
                highlight=False,
                soft_wrap=True,
            )
        elif event["type"] == "job.waiting":
            console.print(f"  … waiting: {data.get('note', '')}", highlight=False, soft_wrap=True)
    job = await client.get(f"/v1/jobs/{job_id}")
    seconds = time.monotonic() - begun
    console.print(f"  {job['state']} after {seconds:.1f} s", highlight=False)
    _explain(job, console)
    return str(job["state"])


def picture(job: dict[str, Any], expected: dict[str, float]) -> RenderableType:
    """The whole job on one screen; stages that are over are one line."""
    steps = list(_steps(job))
    total = sum(expected.values()) or 1.0
    over = sum(_share(step) * expected.get(step["key"], 0.0) for step in steps)
    head = Table.grid(padding=(0, 2))
    begun = datetime.fromisoformat(job["started_at"] or job["created_at"])
    left = time_left((datetime.now(UTC) - begun).total_seconds(), over, total)
    ended = job["state"] in ENDED
    head.add_row(
        Text(f"{job['procedure']}: {job['state']}", style="bold"),
        ProgressBar(total=total, completed=total if ended else over, width=40),
        Text("" if ended else f"about {left:.0f} s left", style="dim"),
    )
    parts: list[RenderableType] = [head]
    for stage in job["stages"]:
        rows = stage["steps"]
        finished = all(step["state"] in OVER for step in rows)
        started = any(step["state"] != "pending" for step in rows)
        mark, style = ("✓", "green") if finished else ("▸", "bold") if started else ("·", "dim")
        parts.append(Text(f" {mark} {stage['title']} (guide p.{stage['page']})", style=style))
        if started and not finished:
            parts.append(_table(rows))
    if job.get("waiting"):
        parts.append(Text(f"waiting: {job['waiting']['note']}", style="yellow"))
    if job.get("failure"):
        parts.append(Text(_failure(job), style="red"))
    return Group(*parts)


def time_left(elapsed: float, done: float, total: float) -> float:
    """Seconds still expected: the plan's times, stretched by how they were kept so far."""
    stretch = elapsed / done if done > total * 0.05 else 1.0
    return max(0.0, total - done) * max(1.0, stretch)


def _table(steps: list[dict[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 1))
    for step in steps:
        mark, style = MARKS[step["state"]]
        table.add_row(
            Text(f"     {mark}", style=style),
            Text(step["title"], style=style, overflow="ellipsis", no_wrap=True),
            ProgressBar(total=1.0, completed=_share(step), width=16),
            Text(step["note"], style="dim", overflow="ellipsis", no_wrap=True),
        )
    return table


def _explain(job: dict[str, Any], console: Console) -> None:
    if job.get("failure"):
        console.print(f"  {_failure(job)}", style="red", highlight=False, soft_wrap=True)


def _failure(job: dict[str, Any]) -> str:
    failure = job["failure"]
    return f"{failure['message']} Remedy: {failure['remedy']}"


def _share(step: dict[str, Any]) -> float:
    return 1.0 if step["state"] in OVER else float(step["progress"])


def _steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for stage in document["stages"] for step in stage["steps"]]
