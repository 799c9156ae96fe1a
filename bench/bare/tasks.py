"""A bare side: jobs as chains of Procrastinate's tasks, each of which defers the next."""

from __future__ import annotations

import asyncio
import time

import procrastinate


async def carry_out(url: str, jobs: int, steps: int, seconds: float, connections: int) -> float:
    """Seconds for all steps of all jobs; each takes `seconds` in which nothing is done."""
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=url, max_size=connections)
    )
    taken = 0
    done = asyncio.Event()

    @app.task(name="bench.step", queue="bench")
    async def take(job: int, step: int) -> None:
        nonlocal taken
        await asyncio.sleep(seconds)
        taken += 1
        if step < steps:
            await take.configure(lock=f"bench:{job}").defer_async(job=job, step=step + 1)
        if taken == jobs * steps:
            done.set()

    async with app.open_async():
        for job in range(jobs):
            await take.configure(lock=f"bench:{job}").defer_async(job=job, step=1)
        began = time.monotonic()
        working = asyncio.create_task(
            app.run_worker_async(
                queues=["bench"],
                concurrency=jobs,
                fetch_job_polling_interval=0.5,
                delete_jobs="always",
                install_signal_handlers=False,
            )
        )
        await done.wait()
        took = time.monotonic() - began
        working.cancel()
        await asyncio.wait({working})
    return took
