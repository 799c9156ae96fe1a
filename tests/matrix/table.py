"""The table of the matrix: procedures down, faults across, in two halves that fit a screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from app.domain.job import JobState
from tests.matrix.faults import Kind
from tests.matrix.run import Result

_HALVES: tuple[Sequence[Kind], ...] = (list(Kind)[:10], list(Kind)[10:])


def lines(results: Iterable[Result]) -> list[str]:
    """Each cell: succeeded / ended otherwise and recovered / violated; `-`: cannot hit it."""
    counts: dict[str, dict[Kind, Counter[str]]] = {}
    for result in results:
        row = counts.setdefault(result.rehearsed.title, {})
        if result.blow is not None:
            row.setdefault(result.blow.kind, Counter())[_outcome(result)] += 1
    width = max((len(title) for title in counts), default=10) + 2
    made: list[str] = []
    for half in _HALVES:
        first, second = zip(*(_split(kind) for kind in half), strict=True)
        made += ["", " " * width + _row(first), "procedure".ljust(width) + _row(second)]
        made += [
            title.ljust(width) + _row([_cell(row.get(kind)) for kind in half])
            for title, row in counts.items()
        ]
    return made


def _outcome(result: Result) -> str:
    if result.violations:
        return "violated"
    return "succeeded" if result.state is JobState.SUCCEEDED else "recovered"


def _cell(counted: Counter[str] | None) -> str:
    if counted is None:
        return "-"
    return f"{counted['succeeded']}/{counted['recovered']}/{counted['violated']}"


def _split(kind: Kind) -> tuple[str, str]:
    first, _, second = kind.value.partition(" ")
    return (first, second) if second else ("", first)


def _row(cells: Iterable[str]) -> str:
    return "".join(cell.rjust(12) for cell in cells)
