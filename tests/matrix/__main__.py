"""`make procedures`: every step of every procedure against every fault that can hit it.

Not hand-picked: a clean run of each rehearsed procedure tells its steps and their calls, and each
of them is struck once by each kind of fault. Whatever does not fit into the time is left out by a
seeded draw and counted.
"""

# ruff: noqa: T201 - what it prints is its purpose
from __future__ import annotations

import argparse
import logging
import multiprocessing
import random
import sys
import time
from collections.abc import Iterator

from app.guide.scenarios import REHEARSED, Rehearsed
from app.procedures.registry import PROCEDURES
from tests.matrix.faults import Blow
from tests.matrix.run import Result, clean, struck
from tests.matrix.table import lines


def main() -> int:
    asked = _arguments()
    logging.disable(logging.CRITICAL)
    chosen = [
        r
        for r in REHEARSED
        if r.matrix and r.procedure in PROCEDURES and asked.only in {"", r.procedure}
    ]
    missing = sorted(set(PROCEDURES) - {r.procedure for r in REHEARSED})
    ends = time.monotonic() + asked.seconds
    context = multiprocessing.get_context("fork")
    with context.Pool(asked.processes) as pool:
        results: list[Result] = []
        work: list[tuple[Rehearsed, Blow]] = []
        for result, found in pool.imap(clean, chosen):
            results.append(result)
            work += [(result.rehearsed, b) for b in found if asked.kind in {"", b.kind}]
        planned = len(work)
        random.Random(asked.seed).shuffle(work)
        for done, result in enumerate(_until(pool.imap_unordered(_one, work), ends), start=1):
            results.append(result)
            if asked.verbose or result.violations:
                print(result, flush=True)
            elif done % 100 == 0 and sys.stderr.isatty():
                print(f"\r{done} of {planned}", end="", file=sys.stderr, flush=True)
        pool.terminate()
    return _report(results, planned, missing)


def _one(work: tuple[Rehearsed, Blow]) -> Result:
    return struck(*work)


def _until(results: Iterator[Result], ends: float) -> Iterator[Result]:
    for result in results:
        yield result
        if time.monotonic() >= ends:
            return


def _report(results: list[Result], planned: int, missing: list[str]) -> int:
    ran = sum(result.blow is not None for result in results)
    print("\nsucceeded / ended otherwise and recovered / violated")
    print("\n".join(lines(sorted(results, key=lambda r: r.rehearsed.title))))
    several = sum(len(result.ways) > 1 for result in results)
    print(f"\n{several} runs took more than one way out", end="")
    print(f"; {planned - ran} of {planned} left out for lack of time" if ran < planned else "")
    if missing:
        print(f"not rehearsed: {', '.join(missing)}")
    violations = sum(len(result.violations) for result in results) + len(missing)
    print(f"{len(results)} runs, {violations} violations")
    return 1 if violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--only", default="", help="one procedure")
    parser.add_argument("--kind", default="", help="one kind of fault, such as 'peer gone'")
    parser.add_argument("--seconds", type=float, default=540.0, help="when to stop")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the runs")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="one line for each run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
