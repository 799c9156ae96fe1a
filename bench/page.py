"""Puts the figures of bench/results.json into docs/benchmarks.md, so that both say the same.

python -m bench.page            write the table
python -m bench.page --check    exit code 1 where it is not up to date
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from bench.__main__ import RESULTS, ROOT
from bench.rows import HEADINGS, Row, cells

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: made by `make docs` from bench/results.json -->\n", "<!-- end -->\n"


def figures(results: Mapping[str, Any]) -> str:
    """The table of all results, and what they were taken on."""
    on = results["machine"]
    taken = (
        f"Taken on {on['cores']} cores ({on['cpu']}), {on['memory_gb']} GB, {on['system']}, Python "
        f"{on['python']}, {on['postgresql']}. Each benchmark says when, at which commit, and how "
        "loaded the machine was."
    )
    lines = [taken, ""]
    for name, one in results["benchmarks"].items():
        when = f"{one['date'][:16].replace('T', ' ')} UTC, commit {one['commit']}"
        lines += [
            f"**{name}**: {when}, {one['seconds']:.0f} s, load {one['load']}",
            "",
            f"| {' | '.join(HEADINGS[1:])} |",
            "|---|---|---:|---|---:|---:|---|",
            *(f"| {' | '.join(cells(name, Row.of(row))[1:])} |" for row in one["rows"]),
            "",
        ]
    return "\n".join(lines)


def with_figures(page: str, results: Mapping[str, Any]) -> str:
    """The page with the table that belongs in it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} has no place for the figures")
    return before + begin + figures(results) + end + after


def main() -> int:
    """Write, or with --check compare."""
    page = PAGE.read_text(encoding="utf-8")
    wanted = with_figures(page, json.loads(RESULTS.read_text()))
    if "--check" in sys.argv[1:]:
        return int(page != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
