"""When work may be done: windows, the blackouts in them, and the calendar they make together.

People say windows in the local time of a place: Saturdays from 22:00 to 04:00 in Berlin. So start
and end are wall times of an IANA zone, recurrence counts days there, and only the result is turned
into moments. When clocks change (RFC 5545, 3.3.5):

    a wall time that does not exist (spring)    counts with the offset before the change, so 02:30
                                                is the moment that clocks show as 03:30
    a wall time that comes twice (autumn)       is the first of the two
    a blackout                                  takes both readings: it begins at the earlier and
                                                ends at the later one
    an occurrence that ends no later than it
    begins by these rules                       does not take place that day

Pure: every question is asked for a moment that is passed in. Nothing looks further ahead than
HORIZON: what does not come until then, never comes.
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from app.domain.recurrence import Rule, parse

HORIZON = timedelta(days=3660)
"""Ten years. What does not open until then never opens; what does not close, stays open."""
LONGEST = timedelta(days=31)
"""The longest occurrence of something that recurs."""
YEARS = range(2000, 2200)
"""Years in which windows may begin and end."""

Span = tuple[datetime, datetime]
"""From and to, UTC; the end is not in it."""


class WindowRefused(ValueError):
    """A window that makes no sense. `field` names the part, `remedy` says what to write."""

    def __init__(self, field: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.field = field
        self.remedy = remedy


class Spans(Protocol):
    """Something that covers stretches of time."""

    def spans(self, after: datetime) -> Iterator[Span]:
        """Stretches that end after a moment, in order of their begin, none past the horizon."""
        ...


@dataclass(frozen=True, slots=True)
class Blackout:
    """A time in which nothing is done although the window would be open; local wall times."""

    start: datetime
    end: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which work may be done.

    `start` and `end` are wall times of `zone`, without an offset: those of the first occurrence
    where `rule` (an RRULE, see app.domain.recurrence) makes it recur. Later ones take place on the
    days of the rule, from the same time of day, for as long by the clock on the wall. No `end`: it
    stays open. The first occurrence is the first day of the rule that is not before `start`.
    """

    name: str
    zone: str
    start: datetime
    end: datetime | None
    rule: str = ""
    blackouts: tuple[Blackout, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what makes no sense. Raises WindowRefused, RuleRefused."""
        zone_of(self.zone)
        _sensible("start", self.start, self.end)
        if self.rule:
            if self.end is None:
                raise WindowRefused(
                    "end", "a window that recurs has no end", "say when its first opening ends"
                )
            if self.end - self.start > LONGEST:
                raise WindowRefused(
                    "end",
                    f"one opening of a window that recurs is longer than {LONGEST.days} days",
                    "make it shorter",
                )
            read_rule(self.rule)
        for number, blackout in enumerate(self.blackouts):
            _sensible(f"blackouts/{number}/start", blackout.start, blackout.end)

    def spans(self, after: datetime) -> Iterator[Span]:
        """See Spans. Its own blackouts are taken out."""
        zone = zone_of(self.zone)
        closed = sorted((_early(b.start, zone), _late(b.end, zone)) for b in self.blackouts)
        return _minus(_union([self._occurrences(after)]), _union([iter(closed)]))

    def _occurrences(self, after: datetime) -> Iterator[Span]:
        zone, limit = zone_of(self.zone), after + HORIZON
        if not self.rule:
            end = limit if self.end is None else min(limit, _moment(self.end, zone))
            begin = _moment(self.start, zone)
            if begin < end and end > after:
                yield begin, end
            return
        lasts = self.end - self.start if self.end is not None else LONGEST
        rule = read_rule(self.rule)
        first_day = (after - lasts - timedelta(days=2)).date()
        last_day = limit.date() + timedelta(days=2)
        for day in rule.days(self.start.date(), first_day, last_day):
            local = datetime.combine(day, self.start.time())
            begin, end = _moment(local, zone), _moment(local + lasts, zone)
            if rule.until is not None and rule.until < (begin if rule.until.tzinfo else local):
                return
            if begin < end and end > after:
                yield begin, end


@dataclass(frozen=True, slots=True)
class Opening:
    """A stretch in which work may be done. `end` None: it does not close within the horizon."""

    start: datetime
    end: datetime | None

    def lasts(self, since: datetime) -> float:
        """Seconds it stays open from a moment, or from its start where that is later."""
        if self.end is None:
            return float("inf")
        return (self.end - max(since, self.start)).total_seconds()


@dataclass(frozen=True, slots=True)
class Calendar:
    """When one job may work: in any of its windows, in no freeze, and inside `within`.

    No windows: any time is good that is not frozen. A freeze is a window whose occurrences close
    instead of open. `within` is the caller's change window, two moments; either may be missing.
    """

    windows: tuple[Window, ...] = ()
    freezes: tuple[Window, ...] = ()
    within: tuple[datetime | None, datetime | None] = (None, None)

    @property
    def always(self) -> bool:
        """Whether it restricts nothing."""
        return not self.windows and not self.freezes and self.within == (None, None)

    def is_open(self, at: datetime) -> bool:
        """Whether work may be done at that moment."""
        opening = next(self.openings(at), None)
        return opening is not None and opening.start <= at

    def closes(self, at: datetime) -> datetime | None:
        """When what is open then closes; None: not within the horizon, or it is not open."""
        opening = next(self.openings(at), None)
        return opening.end if opening is not None and opening.start <= at else None

    def opens(self, at: datetime) -> datetime | None:
        """When it is open next: that very moment where it is open; None: never again."""
        opening = next(self.openings(at), None)
        return None if opening is None else max(at, opening.start)

    def room(self, at: datetime, seconds: float, *, most: int = 1000) -> Opening | None:
        """The first opening from then on that stays open for so long; None: none of the next."""
        openings = itertools.islice(self.openings(at), most)
        return next((found for found in openings if found.lasts(at) >= seconds), None)

    def openings(self, after: datetime) -> Iterator[Opening]:
        """Openings that end after a moment, in order; the first may have begun before it."""
        limit = after + HORIZON
        frozen = _union([freeze.spans(after) for freeze in self.freezes])
        begin, end = self.within
        outside: list[Span] = [] if begin is None else [(_EARLIEST, begin)]
        outside += [] if end is None else [(end, _LATEST)]
        always: list[Span] = [(_EARLIEST, limit)]
        opened = _union([w.spans(after) for w in self.windows] if self.windows else [iter(always)])
        for start, stop in _minus(opened, _union([frozen, iter(outside)])):
            if start >= limit:
                return
            if stop > after:
                yield Opening(start, None if stop >= limit else stop)


ALWAYS = Calendar()
"""Restricts nothing."""
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)


@functools.lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """The zone of that IANA name. Raises WindowRefused."""
    try:
        if "/" not in name and name not in ("UTC", "GMT"):
            raise ValueError(name)
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise WindowRefused(
            "zone", "there is no time zone of this name", "write an IANA name such as Europe/Berlin"
        ) from None


@functools.lru_cache(maxsize=1024)
def read_rule(text: str) -> Rule:
    """The rule, read once. Raises RuleRefused."""
    return parse(text)


def calendar_from(document: Mapping[str, Any]) -> Calendar:
    """The calendar whose fields these JSON values are, times in ISO 8601."""
    begin, end = document["within"]
    return Calendar(
        windows=tuple(window_from(entry) for entry in document["windows"]),
        freezes=tuple(window_from(entry) for entry in document["freezes"]),
        within=(_read(begin), _read(end)),
    )


def window_from(document: Mapping[str, Any]) -> Window:
    """The window whose fields these JSON values are. Raises WindowRefused, RuleRefused."""
    return Window(
        name=document["name"],
        zone=document["zone"],
        start=datetime.fromisoformat(document["start"]),
        end=_read(document["end"]),
        rule=document["rule"],
        blackouts=tuple(
            Blackout(
                datetime.fromisoformat(entry["start"]),
                datetime.fromisoformat(entry["end"]),
                entry["reason"],
            )
            for entry in document["blackouts"]
        ),
    )


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _sensible(field: str, start: datetime, end: datetime | None) -> None:
    if start.tzinfo is not None or (end is not None and end.tzinfo is not None):
        raise WindowRefused(
            field, "a wall time has an offset", "write local time, such as 2026-03-01T22:00:00"
        )
    if start.year not in YEARS or (end is not None and end.year not in YEARS):
        raise WindowRefused(
            field, f"a year is not from {YEARS[0]} to {YEARS[-1]}", "choose a nearer time"
        )
    if end is not None and end <= start:
        raise WindowRefused(field, "it does not end after it begins", "let it end later")


def _moment(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _early(local: datetime, zone: ZoneInfo) -> datetime:
    return min(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def _late(local: datetime, zone: ZoneInfo) -> datetime:
    return max(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def _union(streams: Iterable[Iterator[Span]]) -> Iterator[Span]:
    """Stretches of all streams, those that touch or overlap made one. Each stream is in order."""
    whole: Span | None = None
    for span in heapq.merge(*streams):
        if whole is None:
            whole = span
        elif span[0] <= whole[1]:
            whole = (whole[0], max(whole[1], span[1]))
        else:
            yield whole
            whole = span
    if whole is not None:
        yield whole


def _minus(spans: Iterator[Span], closed: Iterator[Span]) -> Iterator[Span]:
    """What is left of the first where the second is taken out. Both are in order, without laps."""
    cut = next(closed, None)
    for begin, end in spans:
        while begin < end:
            while cut is not None and cut[1] <= begin:
                cut = next(closed, None)
            if cut is None or cut[0] >= end:
                yield begin, end
                break
            if cut[0] > begin:
                yield begin, cut[0]
            begin = cut[1]  # noqa: PLW2901 - what is left of this stretch
