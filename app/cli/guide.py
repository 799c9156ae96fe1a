"""`clusterway guide coverage`: what satisfies each requirement of the guide, proved each time.

Plans of every procedure are made over simulated fleets, the rules' own citations are read off their
source, and whatever is left must stand in app/guide/documents.yaml with a reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from app.guide import requirements
from app.guide.coverage import (
    KINDS,
    RECORD,
    ROOT,
    Coverage,
    by_word,
    collect,
    gate_reasons,
    missing,
    to_record,
)
from app.guide.rehearsing import plans
from app.procedures.registry import HANDLERS

app = typer.Typer(no_args_is_help=True, help="The deployment guide, requirement by requirement.")
PAGE = ROOT / "docs" / "guide-coverage.md"
RECORDED = ROOT / "app" / "guide" / RECORD


@app.callback()
def guide() -> None:
    """Group the commands."""


@app.command()
def coverage(
    write: Annotated[
        bool, typer.Option("--write", help="Write docs/guide-coverage.md and the record too.")
    ] = False,
) -> None:
    """Print per section what satisfies the guide; exit code 1 where a requirement is left."""
    found = collected()
    typer.echo("\n".join([*by_word_or_page(found), *table(found)]))
    if write:
        for path, text in coverage_pages(found):
            path.write_text(text, encoding="utf-8")
    left = missing(found)
    if left:
        typer.echo(f"satisfied by nothing: {' '.join(left)}", err=True)
        raise typer.Exit(1)


def collected() -> Coverage:
    """The coverage of the code as it is."""
    return collect(plans(), HANDLERS)


def coverage_pages(found: Coverage) -> Iterator[tuple[Path, str]]:
    """The page for people and the record the service shows, and what must stand in each."""
    yield PAGE, page(found)
    yield RECORDED, to_record(found)


def by_word_or_page(found: Coverage) -> Iterator[str]:
    """What no code settles, each with the reason."""
    for title, listed in (
        ("By an operator's word only", list(_by_word(found))),
        ("By a document or a report only", list(_explained(found))),
    ):
        yield f"{title} ({len(listed)})"
        yield from (f"  {name:<9} {where}: {why}" for name, where, why in listed)
        yield ""


def table(found: Coverage) -> Iterator[str]:
    """Per section: how many requirements, how many satisfied, and the strongest kinds."""
    width = max(len(section) for section in _sections()) + 2
    yield "section".ljust(width) + " done  of" + "".join(kind.rjust(10) for kind in KINDS)
    for section, names in _sections().items():
        counted = Counter(found[name][0].kind for name in names if found[name])
        cells = "".join(str(counted[kind] or "-").rjust(10) for kind in KINDS)
        yield f"{section.ljust(width)}{counted.total():5}{len(names):4}{cells}"
    strongest = Counter(sources[0].kind for sources in found.values() if sources)
    cells = "".join(str(strongest[kind]).rjust(10) for kind in KINDS)
    yield f"{'all'.ljust(width)}{strongest.total():5}{len(found):4}{cells}"
    yield ""
    yield f"{strongest.total()} of {len(found)} requirements satisfied"


def page(found: Coverage) -> str:
    """docs/guide-coverage.md."""
    lines = [
        "# Guide coverage",
        "",
        "What satisfies each requirement of the guide ([the guide behind this service](guide.md)).",
        "Made by `clusterway guide coverage --write`: steps, gates and findings are read off plans",
        "over simulated fleets, checks off their source. A requirement counts under the strongest",
        f"kind that satisfies it: {', '.join(KINDS)}. `GET /v1/guide/requirements` serves the same",
        "with the test module that runs each.",
        "",
        "```",
        *table(found),
        "```",
        "",
        "## By an operator's word only",
        "",
        "A job waits until an operator has stated these. Behind what the guide says stands why no",
        "step or check can settle it.",
        "",
        "| requirement | gate | what the guide says, and why it is asked |",
        "|---|---|---|",
        *map(_row, _by_word(found)),
        "",
        "## By a document or a report only",
        "",
        "| requirement | where | why |",
        "|---|---|---|",
        *map(_row, _explained(found)),
        "",
        "## All",
        "",
        "| requirement | page | satisfied by |",
        "|---|---|---|",
    ]
    for name, sources in found.items():
        printed = requirements()[name].page
        shown = "; ".join(f"{s.kind} {s.where}" for s in sources[:4]) or "**nothing**"
        more = f" and {len(sources) - 4} more" if len(sources) > 4 else ""
        lines.append(f"| {name} | {printed or ''} | {shown}{more} |")
    return "\n".join(lines) + "\n"


def _by_word(found: Coverage) -> Iterator[tuple[str, str, str]]:
    """Requirement, gate, and what the guide says with the reason why no code settles it."""
    for name in by_word(found):
        told = f"{requirements()[name].text} *{gate_reasons().get(name, '')}*"
        yield name, found[name][0].where, told


def _explained(found: Coverage) -> Iterator[tuple[str, str, str]]:
    """Requirement, page and the reason."""
    for name, sources in found.items():
        if sources and all(s.why for s in sources):
            yield name, sources[0].where, sources[0].why


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _sections() -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    for name in requirements():
        chapter = name.partition("-")[0]
        sections.setdefault(f"{chapter} {_CHAPTERS[chapter]}", []).append(name)
    return sections


_CHAPTERS = {
    "INT": "Introduction",
    "PRE": "Prerequisites",
    "UPG": "Upgrading a cluster",
    "NEW": "Setting up a new cluster",
    "ADD": "Adding a peer",
    "PSI": "Peer-specific items",
    "RML": "Removing a live peer",
    "RMD": "Removing a dead peer",
    "DIS": "Disbanding a cluster",
    "CHM": "Changing the primary",
    "CIP": "Changing an address",
    "REP": "Replacing a peer",
    "ALM": "Troubleshooting",
    "NET": "Ports and protocols",
    "LYN": "Microsoft Lync",
    "SRV": "DNS SRV records",
    "NAP": "NAPTR records",
}
