"""The command of one benchmark: `python -m bench.NAME [--short]` prints its own table.

`--rows FILE` is for `python -m bench`, which runs one after the other and wants the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.rows import Row, show

Measure = Callable[[bool], Sequence[Row]]
"""Takes whether only to prove that the benchmark works; gives its rows."""
FILES = 20_000


def parser(description: str | None) -> argparse.ArgumentParser:
    """What every benchmark is asked; one with more questions adds its own."""
    asking = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asking.add_argument(
        "--short", action="store_true", help="only prove that it works, with little of everything"
    )
    asking.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    return asking


def tell(name: str, rows: Sequence[Row], to: Path | None) -> None:
    """Print the table of one benchmark, or hand its rows to whoever runs it."""
    if not rows:
        sys.exit(f"{name} measured nothing")
    if to:
        to.write_text(json.dumps([row.document() for row in rows]))
        return
    show({name: rows})
    sys.stdout.write(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")


def benchmark(name: str, description: str | None, measure: Measure) -> None:
    """The whole of a benchmark's `__main__`."""
    asked = parser(description).parse_args()
    many_files()
    tell(name, measure(asked.short), asked.rows)


def many_files() -> None:
    """As many open files as this process and its children may have, within reason."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
