"""What a benchmark tells: one row per figure, each beside a peer's or a limit, and their ratio.

Machines differ, so no figure stands alone. A row without `theirs` says in `note` why there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

WIDTH = 160
"""Characters of a table that nobody's terminal bounds."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of ours beside one of theirs, both in `unit` and both taken in the same run."""

    case: str
    """Which amount of which work, such as `60 peers x 20 commands`."""
    measure: str
    unit: str
    ours: float
    beside: str
    """The peer, or the limit that nobody can go below."""
    theirs: float | None
    better: Literal["less", "more"] = "less"
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours divided by theirs, whichever of the two is better."""
        return None if not self.theirs else self.ours / self.theirs

    def document(self) -> dict[str, Any]:
        """For results.json."""
        return {**asdict(self), "ratio": self.ratio}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Row:
        """The row that a document was made from."""
        return cls(**{key: value for key, value in document.items() if key != "ratio"})


HEADINGS = ("benchmark", "case", "measure", "ours", "beside", "theirs", "ours / theirs", "better")


def cells(benchmark: str, row: Row) -> tuple[str, ...]:
    """A row as texts, under HEADINGS."""
    theirs = "-" if row.theirs is None else f"{figure(row.theirs)} {row.unit}"
    return (
        benchmark,
        row.case,
        row.measure,
        f"{figure(row.ours)} {row.unit}",
        row.beside + (f" ({row.note})" if row.note else ""),
        theirs,
        "-" if row.ratio is None else figure(row.ratio),
        row.better,
    )


def figure(value: float) -> str:
    """Three digits that mean something, without an exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 2
    while abs(value) < 10 ** (1 - digits) and digits < 9:
        digits += 1
    return f"{value:.{digits if abs(value) < 10 else 1}f}"


def show(rows: Mapping[str, Sequence[Row]], console: Console | None = None) -> None:
    """One table of all benchmarks, by name."""
    table = Table(*HEADINGS)
    for name, of_one in rows.items():
        for row in of_one:
            table.add_row(*cells(name, row))
        table.add_section()
    console = console or Console()
    if not console.is_terminal:
        console.width = WIDTH
    console.print(table, markup=False)
