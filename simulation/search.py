"""Many seeds, on all processors, and what they come to."""

from __future__ import annotations

import gc
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from simulation.laws import Breach
from simulation.world import Run, play

CHUNK = 20
RARELY = 50_000
"""New objects between two collections of rubbish: runs leave little, and looking costs a tenth."""


@dataclass
class Tally:
    """The sum of many runs."""

    runs: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[int, Breach]] = field(default_factory=list)

    def add(self, run: Run) -> None:
        """One more run."""
        self.runs += 1
        self.outcomes[run.procedure or "none", run.outcome] += 1
        self.troubles.update(run.troubles)
        self.checks.update(run.checks)
        self.places.update(run.places)
        self.deaths.update(run.deaths)
        self.failed += [(run.seed, breach) for breach in run.breaches]

    @property
    def faults(self) -> int:
        """How many faults came about."""
        return sum(self.troubles.values())

    def lines(self) -> Iterator[str]:
        """The figures; the last line is the sum."""
        yield "outcomes"
        for (procedure, outcome), count in sorted(self.outcomes.items()):
            yield f"  {count:7,}  {procedure}: {outcome}"
        yield "faults that came about"
        for trouble, count in sorted(self.troubles.items()):
            yield f"  {count:7,}  {trouble}"
        yield (
            f"workers died at {len(self.deaths)} of the {len(self.places)} kinds of moments that "
            f"there were, {sum(self.places.values()):,} in all"
        )
        yield "laws, and how often each was looked at"
        for law, count in sorted(self.checks.items()):
            yield f"  {count:7,}  {law}"
        yield f"{self.runs} runs, {self.faults} faults, {len(self.failed)} violations"


def search(
    first: int, runs: int, tell: Callable[[Run], None] = lambda _: None, processes: int = 0
) -> Tally:
    """Play `runs` seeds from `first` on; `tell` hears of every run with a breach."""
    tally = Tally()
    processes = processes or os.cpu_count() or 1
    seeds = range(first, first + runs)
    if processes == 1 or runs <= CHUNK:
        for run in map(_quietly, seeds):
            _count(run, tally, tell)
        return tally
    with ProcessPoolExecutor(processes, initializer=_set_up) as pool:
        for run in pool.map(_quietly, seeds, chunksize=CHUNK):
            _count(run, tally, tell)
    return tally


def first_breach(seeds: range) -> Run | None:
    """The first run with a breach, where there is one."""
    found = (run for run in map(_quietly, seeds) if run.breaches)
    return next(islice(found, 1), None)


def _count(run: Run, tally: Tally, tell: Callable[[Run], None]) -> None:
    tally.add(run)
    if run.breaches:
        tell(run)


def _set_up() -> None:
    gc.set_threshold(RARELY)


def _quietly(seed: int) -> Run:
    """Play a seed; what the service logs is for the laws, not for the terminal."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())
    return play(seed)
