"""When schedules are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.timing import Timing
from app.domain.window import WindowRefused


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_once_is_once() -> None:
    once = Timing("Europe/Berlin", datetime.fromisoformat("2026-05-01T03:00"))
    due = utc("2026-05-01T01:00")
    assert once.next(utc("2026-01-01T00:00")) == due
    assert once.next(due - timedelta(microseconds=1)) == due
    assert once.next(due) is None


def test_every_night_by_the_clock_on_the_wall() -> None:
    nightly = Timing("Europe/Berlin", datetime.fromisoformat("2026-03-01T02:30"), "FREQ=DAILY")
    due, found = utc("2026-03-27T12:00"), []
    for _ in range(3):
        following = nightly.next(due)
        assert following is not None
        due = following
        found.append(f"{due:%d %H:%M}")
    # On the 29th there is no 02:30: it is due when clocks show 03:30.
    assert found == ["28 01:30", "29 01:30", "30 00:30"]


def test_an_hour_that_comes_twice_is_due_once() -> None:
    nightly = Timing("Europe/Berlin", datetime.fromisoformat("2026-10-01T02:30"), "FREQ=DAILY")
    due = nightly.next(utc("2026-10-24T12:00"))
    assert due == utc("2026-10-25T00:30")
    assert nightly.next(due) == utc("2026-10-26T01:30")


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(WindowRefused):
        Timing("Mars/Olympus", datetime.fromisoformat("2026-10-01T02:30"))
