"""At which moments something is due: once, or again and again, in the local time of a place.

The rules about days and about clocks that change are those of windows (app.domain.window).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.domain.window import Calendar, Window

_A_MOMENT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Timing:
    """`start` is a wall time of `zone`; `rule` an RRULE by days, empty: once."""

    zone: str
    start: datetime
    rule: str = ""

    def __post_init__(self) -> None:
        """Refuse what makes no sense. Raises WindowRefused, RuleRefused."""
        self._window()

    def next(self, after: datetime) -> datetime | None:
        """The next moment behind that one; None: never, or not within ten years."""
        openings = Calendar((self._window(),)).openings(after)
        return next((found.start for found in openings if found.start > after), None)

    def _window(self) -> Window:
        return Window("", self.zone, self.start, self.start + _A_MOMENT, self.rule)


def timing_from(document: Mapping[str, Any]) -> Timing:
    """The timing whose fields these JSON values are."""
    return Timing(document["zone"], datetime.fromisoformat(document["start"]), document["rule"])
