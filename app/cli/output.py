"""What the command line shows: tables for people, JSON for programs, never both.

On a terminal tables are drawn; elsewhere they are columns without wrapping, so that `grep` and
`cut` find whole words. What a device or another person wrote may hold anything, so control
characters are shown as such and never sent to the terminal, and nothing is read as markup.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Output:
    """Where a command says what it found; with `as_json` only documents reach stdout."""

    as_json: bool
    console: Console

    def document(self, document: Any) -> None:
        """The document as JSON, where JSON was asked for."""
        if self.as_json:
            sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")

    def line(self, text: str, style: str = "") -> None:
        """A line for people."""
        if not self.as_json:
            self.console.print(Text(plain(text), style), soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """A table for people; says so where it is empty."""
        cells = [[plain(_shown(cell)) for cell in row] for row in rows]
        if self.as_json:
            return
        if not cells:
            self.line("none")
        elif self.console.is_terminal:
            drawn = Table(*columns, box=SIMPLE_HEAD)
            for row in cells:
                drawn.add_row(*(Text(cell) for cell in row))
            self.console.print(drawn)
        else:
            self._columns([list(columns), *cells])

    def facts(self, pairs: Iterable[tuple[str, Any]]) -> None:
        """Names and what they stand at, one a line."""
        known = [(name, _shown(value)) for name, value in pairs if value not in (None, "", [])]
        width = max((len(name) for name, _ in known), default=0)
        for name, value in known:
            self.line(f"{name:<{width}}  {value}")

    def _columns(self, rows: list[list[str]]) -> None:
        flat = [[" ".join(cell.split()) for cell in row] for row in rows]
        widths = [max(len(row[i]) for row in flat) for i in range(len(flat[0]))]
        for row in flat:
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.line("  ".join(padded).rstrip())


def output(*, as_json: bool) -> Output:
    """The output of this process as it is now."""
    return Output(as_json, Console(highlight=False))


def plain(text: str) -> str:
    """Without control characters: each is shown as its number in hexadecimal."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def complain(words: str) -> None:
    """On stderr, whatever stdout is used for."""
    sys.stderr.write(f"clusterway: {plain(words)}\n")


def when(text: str | None) -> str:
    """A time of the API for people: UTC, to the minute."""
    if not text:
        return ""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")


def duration(seconds: float) -> str:
    """Seconds for people."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(one) for one in value)
    return str(value)
