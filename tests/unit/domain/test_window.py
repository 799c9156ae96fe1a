"""Windows: what is open when, across changes of the clocks, and what can never be asked of them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.recurrence import RuleRefused
from app.domain.window import (
    HORIZON,
    Blackout,
    Calendar,
    Opening,
    Window,
    WindowRefused,
    calendar_from,
)
from app.services.plan_document import to_json


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(
    start: str, end: str | None, rule: str = "", zone: str = "Europe/Berlin", *out: tuple[str, str]
) -> Window:
    return Window(
        "w",
        zone,
        local(start),
        None if end is None else local(end),
        rule,
        tuple(Blackout(local(a), local(b), "freeze") for a, b in out),
    )


def openings(calendar: Calendar, after: str, count: int) -> list[tuple[str, str | None]]:
    found = itertools.islice(calendar.openings(utc(after)), count)
    return [
        (f"{o.start:%m-%d %H:%M}", None if o.end is None else f"{o.end:%m-%d %H:%M}") for o in found
    ]


SATURDAYS = window("2026-01-03T22:00", "2026-01-04T04:00", "FREQ=WEEKLY;BYDAY=SA")


def test_a_window_of_one_night() -> None:
    calendar = Calendar((window("2026-01-10T22:00", "2026-01-11T02:00"),))
    opens, closes = utc("2026-01-10T21:00"), utc("2026-01-11T01:00")
    assert calendar.opens(utc("2026-01-01T00:00")) == opens
    assert not calendar.is_open(opens - timedelta(microseconds=1))
    assert calendar.is_open(opens)
    assert calendar.closes(opens) == closes
    assert calendar.is_open(closes - timedelta(microseconds=1))
    assert not calendar.is_open(closes)
    assert calendar.opens(closes) is None
    assert calendar.closes(closes) is None


def test_every_saturday_night() -> None:
    assert openings(Calendar((SATURDAYS,)), "2026-01-05T00:00", 2) == [
        ("01-10 21:00", "01-11 03:00"),
        ("01-17 21:00", "01-18 03:00"),
    ]


@pytest.mark.parametrize(
    ("zone", "start", "end", "after", "expected"),
    [
        # Berlin, 29 March 2026: 02:00 becomes 03:00. The night is one hour shorter.
        ("Europe/Berlin", "22:00", "04:00", "2026-03-28T12:00", ("03-28 21:00", "03-29 02:00")),
        # 25 October: 03:00 becomes 02:00. The night is one hour longer.
        ("Europe/Berlin", "22:00", "04:00", "2026-10-24T12:00", ("10-24 20:00", "10-25 03:00")),
        # An end that does not exist counts with the offset before: 02:30 is shown as 03:30.
        ("Europe/Berlin", "22:00", "02:30", "2026-03-28T12:00", ("03-28 21:00", "03-29 01:30")),
        # An end that comes twice is the first of the two.
        ("Europe/Berlin", "22:00", "02:30", "2026-10-24T12:00", ("10-24 20:00", "10-25 00:30")),
        # New York, 8 March and 1 November 2026.
        ("America/New_York", "22:00", "04:00", "2026-03-07T20:00", ("03-08 03:00", "03-08 08:00")),
        ("America/New_York", "22:00", "04:00", "2026-10-31T20:00", ("11-01 02:00", "11-01 09:00")),
        # Lord Howe changes by half an hour: 5 April 02:00 -> 01:30; 4 October 02:00 -> 02:30.
        (
            "Australia/Lord_Howe",
            "22:00",
            "04:00",
            "2026-04-04T00:00",
            ("04-04 11:00", "04-04 17:30"),
        ),
        (
            "Australia/Lord_Howe",
            "22:00",
            "04:00",
            "2026-10-03T00:00",
            ("10-03 11:30", "10-03 17:00"),
        ),
    ],
)
def test_the_night_the_clocks_change(
    zone: str, start: str, end: str, after: str, expected: tuple[str, str]
) -> None:
    nightly = window(f"2026-01-03T{start}", f"2026-01-04T{end}", "FREQ=DAILY", zone)
    assert openings(Calendar((nightly,)), after, 1) == [expected]


def test_an_opening_that_the_clocks_turn_round_does_not_take_place() -> None:
    # 02:30 becomes 03:30 and 03:00 stays: the opening would end before it begins.
    short = window("2026-03-27T02:30", "2026-03-27T03:00", "FREQ=DAILY")
    assert openings(Calendar((short,)), "2026-03-28T00:00", 2) == [
        ("03-28 01:30", "03-28 02:00"),
        ("03-30 00:30", "03-30 01:00"),
    ]


def test_a_blackout_takes_both_readings_of_a_time_that_comes_twice() -> None:
    nightly = window(
        "2026-01-03T22:00", "2026-01-04T06:00", "FREQ=DAILY", "Europe/Berlin",
        ("2026-10-25T02:30", "2026-10-25T02:45"),
    )  # fmt: skip
    assert openings(Calendar((nightly,)), "2026-10-24T12:00", 2) == [
        ("10-24 20:00", "10-25 00:30"),
        ("10-25 01:45", "10-25 05:00"),
    ]


def test_blackouts_that_overlap_are_one() -> None:
    nightly = window(
        "2026-01-03T22:00", "2026-01-04T04:00", "FREQ=DAILY", "Europe/Berlin",
        ("2026-01-05T00:00", "2026-01-06T00:00"), ("2026-01-05T12:00", "2026-01-07T01:00"),
        ("2026-01-04T23:00", "2026-01-05T00:00"),
    )  # fmt: skip
    assert openings(Calendar((nightly,)), "2026-01-04T12:00", 3) == [
        ("01-04 21:00", "01-04 22:00"),
        ("01-07 00:00", "01-07 03:00"),
        ("01-07 21:00", "01-08 03:00"),
    ]


def test_an_open_end_stays_open() -> None:
    calendar = Calendar((window("2026-01-10T22:00", None),))
    assert openings(calendar, "2026-01-01T00:00", 5) == [("01-10 21:00", None)]
    assert calendar.is_open(utc("2190-01-01T00:00"))
    assert calendar.closes(utc("2026-06-01T00:00")) is None


def test_nights_that_touch_are_one_opening() -> None:
    always = window("2026-01-01T00:00", "2026-01-02T00:00", "FREQ=DAILY;UNTIL=20260110")
    assert openings(Calendar((always,)), "2026-01-05T12:00", 5)[0][1] == "01-10 23:00"


def test_any_of_the_windows_will_do_and_a_freeze_closes_all() -> None:
    sundays = window("2026-01-04T08:00", "2026-01-04T10:00", "FREQ=WEEKLY")
    freeze = window("2026-01-10T00:00", "2026-01-11T09:00")
    assert openings(Calendar((SATURDAYS, sundays), (freeze,)), "2026-01-05T00:00", 3) == [
        ("01-11 08:00", "01-11 09:00"),
        ("01-17 21:00", "01-18 03:00"),
        ("01-18 07:00", "01-18 09:00"),
    ]
    assert openings(Calendar((), (freeze,)), "2026-01-10T12:00", 2) == [("01-11 08:00", None)]


def test_the_callers_change_window_narrows_what_is_open() -> None:
    within = (utc("2026-01-10T22:00"), utc("2026-01-11T02:00"))
    assert openings(Calendar((SATURDAYS,), (), within), "2026-01-05T00:00", 3) == [
        ("01-10 22:00", "01-11 02:00")
    ]
    assert openings(Calendar((), (), (None, within[1])), "2026-01-05T00:00", 3)[0][1] == (
        "01-11 02:00"
    )
    assert Calendar((SATURDAYS,), (), within).opens(within[1]) is None


def test_room_is_the_first_opening_that_is_long_enough() -> None:
    short = window("2026-01-04T08:00", "2026-01-04T10:00", "FREQ=WEEKLY")
    calendar = Calendar((SATURDAYS, short))
    at = utc("2026-01-11T02:00")
    assert calendar.room(at, 3600) == Opening(utc("2026-01-10T21:00"), utc("2026-01-11T03:00"))
    assert calendar.room(at, 3601) == Opening(utc("2026-01-11T07:00"), utc("2026-01-11T09:00"))
    assert calendar.room(at, 7201) == Opening(utc("2026-01-17T21:00"), utc("2026-01-18T03:00"))
    # Seven hours there are once a year, in the night that clocks go back.
    assert calendar.room(at, 6 * 3600 + 1) == Opening(
        utc("2026-10-24T20:00"), utc("2026-10-25T03:00")
    )
    assert calendar.room(at, 7 * 3600 + 1) is None


def test_until_is_the_last_start() -> None:
    for until, last in [
        ("20260110", "01-10 21:00"),
        ("20260110T210000Z", "01-10 21:00"),
        ("20260110T205959Z", "01-03 21:00"),
        ("20260110T215959", "01-03 21:00"),
    ]:
        rule = f"FREQ=WEEKLY;UNTIL={until}"
        nights = Calendar((window("2026-01-03T22:00", "2026-01-04T04:00", rule),))
        assert openings(nights, "2026-01-01T00:00", 9)[-1][0] == last


EARLY, LATE = local("2026-01-01"), local("2027-12-31")
NAIVE = st.datetimes(EARLY, LATE)
ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])
RULES = st.sampled_from(
    ["", "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SA,SU", "FREQ=MONTHLY;BYDAY=-1SU", "FREQ=DAILY;COUNT=9"]
)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    start = draw(NAIVE)
    lasts = draw(st.timedeltas(timedelta(minutes=1), timedelta(days=3)))
    out = draw(st.lists(st.tuples(NAIVE, st.timedeltas(timedelta(1), timedelta(90))), max_size=3))
    blackouts = tuple(Blackout(begin, begin + length) for begin, length in out)
    return Window("w", draw(ZONES), start, start + lasts, draw(RULES), blackouts)


@settings(max_examples=50, deadline=None)
@given(
    calendar=st.builds(
        Calendar, st.tuples(windows(), windows()), st.lists(windows(), max_size=1).map(tuple)
    ),
    at=NAIVE.map(lambda d: d.replace(tzinfo=UTC)),
)
def test_openings_agree_with_every_question_about_a_moment(
    calendar: Calendar, at: datetime
) -> None:
    found = list(itertools.islice(calendar.openings(at), 5))
    for one, other in itertools.pairwise(found):
        assert one.end is not None
        assert one.end < other.start
    for opening in found:
        assert opening.end is None or opening.start < opening.end
        assert opening.end is None or opening.end > at
        begin = max(at, opening.start)
        assert calendar.is_open(begin)
        assert calendar.closes(begin) == opening.end
        if opening.start > at:
            before = opening.start - timedelta(microseconds=1)
            assert not calendar.is_open(before)
            assert calendar.opens(before) == opening.start
        if opening.end is not None:
            assert calendar.is_open(opening.end - timedelta(microseconds=1))
            assert not calendar.is_open(opening.end)
    assert calendar.is_open(at) == (bool(found) and found[0].start <= at)
    # Said twice, once by the union of what each covers: no other way to compute it.
    inside = any(_covers(w, at) for w in calendar.windows)
    frozen = any(_covers(w, at) for w in calendar.freezes)
    assert calendar.is_open(at) == (inside and not frozen)


def _covers(window: Window, at: datetime) -> bool:
    return Calendar((window,)).is_open(at)


@settings(max_examples=150, deadline=None)
@given(window=windows(), at=NAIVE.map(lambda d: d.replace(tzinfo=UTC)))
def test_a_moment_is_open_where_its_wall_time_lies_in_an_occurrence(
    window: Window, at: datetime
) -> None:
    """The other way round, far from a change of clocks: from the moment to the wall."""
    zone = ZoneInfo(window.zone)
    offsets = {(at + timedelta(days=n)).astimezone(zone).utcoffset() for n in range(-4, 5)}
    wall = at.astimezone(zone).replace(tzinfo=None)
    if window.rule not in ("", "FREQ=DAILY") or len(offsets) > 1:
        return
    assert window.end is not None
    days = [0] if not window.rule else range(800)
    inside = any(
        window.start + timedelta(days=n) <= wall < window.end + timedelta(days=n) for n in days
    )
    out = any(b.start <= wall < b.end for b in window.blackouts)
    assert Calendar((window,)).is_open(at) == (inside and not out)


@given(window=windows())
def test_a_calendar_comes_back_from_how_it_is_kept(window: Window) -> None:
    calendar = Calendar((window,), (window,), (utc("2026-01-01T00:00"), None))
    assert calendar_from(to_json(calendar)) == calendar


def test_what_makes_no_sense_is_refused() -> None:
    good = ("2026-01-10T22:00", "2026-01-11T02:00")
    refusals: list[tuple[Callable[[], Window], str]] = [
        (lambda: window(*good, zone="Europe/Nowhere"), "zone"),
        (lambda: window(*good, zone="../../etc/passwd"), "zone"),
        (lambda: window(*good, zone="CET+1"), "zone"),
        (lambda: window(good[1], good[0]), "start"),
        (lambda: window(good[0], good[0]), "start"),
        (lambda: window("2026-01-10T22:00+01:00", None), "start"),
        (lambda: window("1999-01-10T22:00", None), "start"),
        (lambda: window(good[0], None, "FREQ=DAILY"), "end"),
        (lambda: window(good[0], "2026-03-11T22:00", "FREQ=DAILY"), "end"),
        (lambda: window(*good, "", "UTC", ("2026-01-02T00:00", "2026-01-01T00:00")),
         "blackouts/0/start"),
    ]  # fmt: skip
    for make, field in refusals:
        with pytest.raises(WindowRefused) as refused:
            make()
        assert refused.value.field == field
        assert refused.value.remedy
    with pytest.raises(RuleRefused):
        window(*good, "FREQ=HOURLY")


@pytest.mark.parametrize(
    "rule",
    ["FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;UNTIL=20250101", "FREQ=DAILY;COUNT=1"],
)
def test_a_window_that_never_opens_again_says_so_soon(rule: str) -> None:
    never = Calendar((window("2024-01-03T22:00", "2024-01-04T04:00", rule),))
    began = time.process_time()
    assert never.opens(utc("2026-01-05T00:00")) is None
    assert never.room(utc("2026-01-05T00:00"), 60) is None
    assert time.process_time() - began < 1.0


def test_a_window_without_a_gap_is_measured_within_the_horizon_only() -> None:
    endless = Calendar((window("2000-01-01T00:00", "2000-01-02T00:00", "FREQ=DAILY"),))
    began = time.process_time()
    assert endless.closes(utc("2026-01-05T00:00")) is None
    assert time.process_time() - began < 2.0
    assert HORIZON.days == 3660
