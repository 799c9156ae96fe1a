"""The deployment guide as numbered requirements (X8.2, D15063.03), as data and loaded.

The texts are our own words for what the guide says on its printed page; a citation such as
`ADD-J-22` anywhere in the service refers to an entry of `requirements.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Requirement:
    """One entry. `page` is the printed page, None where the guide's text does not tell it."""

    id: str
    page: int | None
    section: str
    kind: str
    who: str | None
    text: str


@cache
def requirements() -> Mapping[str, Requirement]:
    """All requirements by id, in the guide's order."""
    text = files(__package__).joinpath("requirements.yaml").read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = yaml.safe_load(text)
    return {
        entry["id"]: Requirement(
            id=entry["id"],
            page=entry["page"],
            section=entry["section"],
            kind=entry["kind"],
            who=entry["who"],
            text=entry["text"],
        )
        for entry in entries
    }
