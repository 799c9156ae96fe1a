"""`make procedures`: every step of every procedure against every fault that can hit it.

Not hand-picked: a clean run of each rehearsed procedure tells its steps and their calls, and each
of them is struck once by each kind of fault. All of them run, on every core. Time is virtual and
nothing is drawn by lot, so the same commit gives the same results on every machine; the digest at
the end is over all of them, one line for each run, whatever their order was.
"""

# ruff: noqa: T201 - what it prints is its purpose
from __future__ import annotations

import argparse
import hashlib
import logging
import multiprocessing
import os
import sys
import time

from app.guide.scenarios import REHEARSED, Rehearsed
from app.procedures.registry import PROCEDURES
from tests.matrix.faults import Blow
from tests.matrix.parts import PARTS, dealt
from tests.matrix.run import Result, clean, struck
from tests.matrix.table import lines


def main() -> int:
    asked = _arguments()
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    chosen = [r for r in REHEARSED if r.procedure in PROCEDURES and asked.only in {"", r.procedure}]
    context = multiprocessing.get_context("fork")
    with context.Pool(asked.processes) as pool:
        results: list[Result] = []
        work: list[tuple[Rehearsed, Blow]] = []
        for result, found in pool.imap(clean, chosen):
            results.append(result)
            mine = found if asked.part is None else dealt(result.rehearsed.title, found, asked.part)
            work += [(result.rehearsed, b) for b in mine if asked.kind in {"", b.kind}]
        for done, result in enumerate(pool.imap_unordered(_one, work, chunksize=8), start=1):
            results.append(result)
            if asked.verbose or result.violations:
                print(result, flush=True)
            elif done % 100 == 0 and sys.stderr.isatty():
                print(f"\r{done} of {len(work)}", end="", file=sys.stderr, flush=True)
    return _report(results, time.monotonic() - began)


def _one(work: tuple[Rehearsed, Blow]) -> Result:
    return struck(*work)


def _report(results: list[Result], seconds: float) -> int:
    missing = sorted(set(PROCEDURES) - {r.procedure for r in REHEARSED})
    print("\nsucceeded / ended otherwise and recovered / violated")
    print("\n".join(lines(sorted(results, key=lambda r: r.rehearsed.title))))
    several = sum(len(result.ways) > 1 for result in results)
    print(f"\n{several} runs took more than one way out; {seconds:.0f} s")
    if missing:
        print(f"not rehearsed: {', '.join(missing)}")
    violations = sum(len(result.violations) for result in results) + len(missing)
    print(f"digest {_digest(results)}")
    print(f"{len(results)} runs, {violations} violations")
    return 1 if violations else 0


def _digest(results: list[Result]) -> str:
    told = sorted(str(result) for result in results)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--only", default="", help="one procedure")
    parser.add_argument("--kind", default="", help="one kind of fault, such as 'peer gone'")
    parser.add_argument("--part", type=int, help=f"one part of {PARTS}, as CI runs them")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--verbose", action="store_true", help="one line for each run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
