"""Windows and change freezes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from app.api.v1.schemas.words import LINE, TIME, Asked, Line, NextCursor, Told
from app.domain.recurrence import LONGEST_TEXT
from app.domain.window import Blackout, Opening, Window, WindowRefused
from app.services.records import RegisteredWindow, WindowKind

WINDOW = "window-06f3k2m8q1v5x7z9b2d4f6h8j0"
LocalTime = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$"),
]
"""A wall time, without an offset: its zone stands beside it."""
Zone = Annotated[
    str,
    StringConstraints(min_length=3, max_length=60, pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$"),
]
Recurrence = Annotated[str, StringConstraints(max_length=LONGEST_TEXT, pattern=LINE)]
_KIND = "`window` opens for clusters whose policy names it; `blackout` closes every cluster."
_RULE = "RRULE by days (RFC 5545); empty: once. The time of day is that of `start`."


class BlackoutCreate(Asked):
    """A time in which the window stays closed."""

    start: LocalTime = Field(description="Local time.", examples=["2026-12-24T00:00:00"])
    end: LocalTime = Field(description="Local time.", examples=["2027-01-02T00:00:00"])
    reason: Annotated[str, StringConstraints(max_length=200, pattern=LINE)] = Field(
        default="", description="Why.", examples=["Year's end"]
    )


class WindowCreate(Asked):
    """A window: when clusters may be worked on, or a freeze."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Saturday nights",
                    "kind": "window",
                    "time_zone": "Europe/Berlin",
                    "start": "2026-03-07T22:00:00",
                    "end": "2026-03-08T04:00:00",
                    "recurrence": "FREQ=WEEKLY;BYDAY=SA",
                    "blackouts": [
                        {
                            "start": "2026-12-24T00:00:00",
                            "end": "2027-01-02T00:00:00",
                            "reason": "Year's end",
                        }
                    ],
                }
            ]
        }
    )

    name: Line = Field(description="What people call it.", examples=["Saturday nights"])
    kind: WindowKind = Field(default=WindowKind.WINDOW, description=_KIND, examples=["window"])
    time_zone: Zone = Field(description="IANA name.", examples=["Europe/Berlin"])
    start: LocalTime = Field(
        description="When it first opens, local time.", examples=["2026-03-07T22:00:00"]
    )
    end: LocalTime | None = Field(
        default=None,
        description="When that opening ends, local time; null: it stays open.",
        examples=["2026-03-08T04:00:00"],
    )
    recurrence: Recurrence = Field(default="", description=_RULE, examples=["FREQ=WEEKLY;BYDAY=SA"])
    blackouts: list[BlackoutCreate] = Field(
        default_factory=list, max_length=100, description="Times in which it stays closed."
    )

    def window(self) -> Window:
        """In the words of the domain. Raises WindowRefused, RuleRefused."""
        return Window(
            name=self.name,
            zone=self.time_zone,
            start=local("start", self.start),
            end=None if self.end is None else local("end", self.end),
            rule=self.recurrence,
            blackouts=tuple(
                Blackout(
                    local(f"blackouts/{number}/start", entry.start),
                    local(f"blackouts/{number}/end", entry.end),
                    entry.reason,
                )
                for number, entry in enumerate(self.blackouts)
            ),
        )


class BlackoutRead(Told):
    """A time in which the window stays closed."""

    start: str = Field(description="Local time.", examples=["2026-12-24T00:00:00"])
    end: str = Field(description="Local time.", examples=["2027-01-02T00:00:00"])
    reason: str = Field(description="Why.", examples=["Year's end"])


class WindowRead(Told):
    """A window as registered."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": WINDOW,
                    "name": "Saturday nights",
                    "kind": "window",
                    "time_zone": "Europe/Berlin",
                    "start": "2026-03-07T22:00:00",
                    "end": "2026-03-08T04:00:00",
                    "recurrence": "FREQ=WEEKLY;BYDAY=SA",
                    "blackouts": [],
                    "version": 1,
                    "created_at": TIME,
                }
            ]
        }
    )

    id: str = Field(description="The window.")
    name: str = Field(description="What people call it.")
    kind: WindowKind = Field(description=_KIND)
    time_zone: str = Field(description="IANA name.")
    start: str = Field(description="When it first opens, local time.")
    end: str | None = Field(description="When that opening ends, local time.")
    recurrence: str = Field(description=_RULE)
    blackouts: list[BlackoutRead] = Field(description="Times in which it stays closed.")
    version: int = Field(description="Row version.")
    created_at: datetime = Field(description="When it was registered.")


class WindowList(Told):
    """A page of windows."""

    items: list[WindowRead] = Field(description="In the order they were registered.")
    next_cursor: NextCursor = None


class OpeningRead(Told):
    """A stretch of time."""

    start: datetime = Field(description="It begins; may be past.", examples=[TIME])
    end: datetime | None = Field(
        description="It ends; null: not within ten years.", examples=["2026-03-01T15:30:00Z"]
    )


class OpeningList(Told):
    """The next openings."""

    items: list[OpeningRead] = Field(description="In order; fewer where there are no more.")


def local(field: str, text: str) -> datetime:
    """A wall time. Raises WindowRefused where there is no such day or hour."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise WindowRefused(
            field, "there is no such date or time", "write it as 2026-03-07T22:00:00"
        ) from None


def window_read(registered: RegisteredWindow) -> WindowRead:
    """As a reader sees it."""
    window = registered.window
    return WindowRead(
        id=registered.id,
        name=window.name,
        kind=registered.kind,
        time_zone=window.zone,
        start=window.start.isoformat(),
        end=None if window.end is None else window.end.isoformat(),
        recurrence=window.rule,
        blackouts=[
            BlackoutRead(start=b.start.isoformat(), end=b.end.isoformat(), reason=b.reason)
            for b in window.blackouts
        ],
        version=registered.version,
        created_at=registered.created_at,
    )


def openings_read(openings: Sequence[Opening]) -> OpeningList:
    """As a reader sees them."""
    return OpeningList(items=[OpeningRead.model_validate(opening) for opening in openings])
