"""`python -m simulation --runs N --seed S`: search for a seed that breaks a law.

Exit code 1 where one does. A run that broke a law is printed with its seed, which plays it again.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from app.procedures.registry import PROCEDURES
from simulation.search import search
from simulation.story import draw_story
from simulation.world import Run


def main(
    runs: Annotated[int, typer.Option(min=1, help="How many seeds to play.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 1,
    processes: Annotated[int, typer.Option(min=0, help="0: as many as processors.")] = 0,
) -> None:
    """Play jobs on simulated fleets in virtual time, with faults drawn from seeds."""
    began = time.monotonic()

    def tell(run: Run) -> None:
        for breach in run.breaches:
            typer.echo(f"violation in seed {run.seed}: {breach}")
        typer.echo(f"  again: make simulate RUNS=1 SEED={run.seed}")
        if runs == 1:
            typer.echo(str(draw_story(run.seed, sorted(PROCEDURES))))
            for line in run.trace:
                typer.echo(f"  {line}")

    tally = search(seed, runs, tell, processes)
    took = time.monotonic() - began
    typer.echo(f"{runs / took * 60:,.0f} runs a minute, seeds {seed} to {seed + runs - 1}")
    for line in tally.lines():
        typer.echo(line)
    raise typer.Exit(1 if tally.failed else 0)


if __name__ == "__main__":
    typer.run(main)
