"""SIGKILL with 100 jobs running, beside the heartbeat: `takeover`.

Three worker processes carry out 100 jobs on a real PostgreSQL; the one with the most jobs is killed
again and again, as `make chaos` does. The figure is the time from the signal until other workers
have claimed every one of its jobs; the limit that the engine promises is twice its heartbeat.
PostgreSQL sees the dead worker's connection end and says so at once, so the ratio should be well
below 1, whatever the heartbeat is. At the end every job has succeeded, no step was lost and none
acted again without a look in between, or there is no figure.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

from app.storage.liveness import Rules
from bench.command import benchmark
from bench.rows import Row
from tests.chaos.__main__ import Report, chaos

FULL, SHORT = (100, 5), (20, 1)
"""Jobs and kills."""


def main(short: bool) -> list[Row]:
    """Median and worst of some kills."""
    jobs, tries = SHORT if short else FULL
    report = Report(jobs)
    with tempfile.TemporaryDirectory(prefix="cw-bench-") as place:
        Path(place).chmod(0o755)
        folder, database = Path(place, "peers"), Path(place, "database")
        folder.mkdir()
        database.mkdir()
        with contextlib.redirect_stdout(sys.stderr):
            asyncio.run(chaos(report, tries, folder, database, full=False, cut=False, disk=False))
    if not report.whole or len(report.takeovers) != tries:
        sys.exit("\n".join(report.lines()))
    seconds = [took for took, _ in report.takeovers]
    orphans = round(statistics.mean(many for _, many in report.takeovers))
    case = f"{tries} kills, {jobs} jobs running, {orphans} taken over each time"
    limit = Rules().beat
    return [
        Row(case, "median", "s", statistics.median(seconds), "the heartbeat", limit),
        Row(case, "longest", "s", max(seconds), "twice the heartbeat", 2 * limit),
    ]


if __name__ == "__main__":
    benchmark("takeover", __doc__, main)
