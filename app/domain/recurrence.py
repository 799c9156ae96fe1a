"""On which days something comes again: RRULE of RFC 5545, as far as windows and schedules need it.

Days only: the time of day is that of the first occurrence, so FREQ is DAILY, WEEKLY, MONTHLY or
YEARLY and there is at most one occurrence a day. That makes every question bounded: it looks at
days between two dates and never searches until something is found. (dateutil's rrule has the whole
of RFC 5545 and cannot be bounded from outside: a rule that never comes keeps it busy up to the year
9999, and INTERVAL=0 for ever. The tests hold this module against it.)
"""

from __future__ import annotations

import calendar
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

LONGEST_TEXT = 500
MOST_INTERVAL = 366
MOST_COUNT = 1000
COUNTED_YEARS = 60
"""COUNT is counted over so many years from the first day; what would come later does not come."""
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?")
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")


class RuleRefused(ValueError):
    """A recurrence rule that cannot be kept; the message says why, `remedy` what to write."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that has been read.

    `weekdays` are (ordinal, weekday): ordinal 0 stands for every such day, 2 for the second, -1 for
    the last of its month (of its year, for YEARLY without BYMONTH). Monday is weekday 0.
    """

    frequency: str
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    """Naive: local time; aware: a moment. The last occurrence starts no later."""
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[tuple[int, int], ...] = ()
    positions: tuple[int, ...] = ()
    week_start: int = 0

    def days(self, first: date, begin: date, end: date) -> Iterator[date]:
        """The days from `begin` (counted in) to `end` (not) on which it comes, in order.

        `first` is the day the rule counts from; nothing comes before it.
        """
        begin = max(begin, first)
        if self.count is not None:
            last = _last_counted(self, first)
            end = min(end, last + timedelta(days=1)) if last is not None else end
        yield from self._uncounted(first, begin, end)

    def _uncounted(self, first: date, begin: date, end: date) -> Iterator[date]:
        for period in _periods(self, first, begin, end):
            for day in self._of_period(first, period):
                if day >= end:
                    return
                if day >= begin:
                    yield day

    def _of_period(self, first: date, period: tuple[date, int]) -> list[date]:
        start, length = period
        days = [
            day
            for offset in range(length)
            if self._matches(day := start + timedelta(days=offset), first)
        ]
        if not self.positions:
            return days
        places = {n - 1 if n > 0 else len(days) + n for n in self.positions}
        return [day for place, day in enumerate(days) if place in places]

    def _matches(self, day: date, first: date) -> bool:
        months, month_days, weekdays = self.months, self.month_days, self.weekdays
        if not month_days and not weekdays:
            if self.frequency == "WEEKLY":
                weekdays = ((0, first.weekday()),)
            elif self.frequency in ("MONTHLY", "YEARLY"):
                month_days = (first.day,)
                if self.frequency == "YEARLY" and not months:
                    months = (first.month,)
        if months and day.month not in months:
            return False
        if month_days:
            left = day.day - calendar.monthrange(day.year, day.month)[1] - 1
            if day.day not in month_days and left not in month_days:
                return False
        return not weekdays or any(self._is(day, *wanted) for wanted in weekdays)

    def _is(self, day: date, ordinal: int, weekday: int) -> bool:
        if day.weekday() != weekday:
            return False
        if ordinal == 0:
            return True
        if self.frequency == "YEARLY" and not self.months:
            place, length = day.timetuple().tm_yday, 366 if calendar.isleap(day.year) else 365
        else:
            place, length = day.day, calendar.monthrange(day.year, day.month)[1]
        if ordinal > 0:
            return (place - 1) // 7 + 1 == ordinal
        return (length - place) // 7 + 1 == -ordinal


def parse(text: str) -> Rule:
    """Read an RRULE, with or without `RRULE:` before it. Raises RuleRefused."""
    text = text.strip().upper().removeprefix("RRULE:")
    if not text or len(text) > LONGEST_TEXT:
        raise RuleRefused(
            f"the rule is empty or longer than {LONGEST_TEXT} characters",
            "write for example FREQ=WEEKLY;BYDAY=SA",
        )
    parts: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value or name in parts:
            raise RuleRefused(
                "the rule is not NAME=VALUE pairs, each name once, separated by semicolons",
                "write for example FREQ=MONTHLY;BYDAY=2SU",
            )
        parts[name] = value
    frequency = parts.pop("FREQ", "")
    if frequency not in _FREQUENCIES:
        raise RuleRefused(
            "FREQ is not DAILY, WEEKLY, MONTHLY or YEARLY",
            "the time of day is that of the start; several times a day are several windows",
        )
    unknown = sorted(set(parts) - set(_READERS))
    if unknown:
        raise RuleRefused(
            "the rule has a part that is not supported",
            f"use FREQ, {', '.join(sorted(_READERS))}; the time of day is that of the start",
        )
    fields: dict[str, Any] = {}
    for name, value in parts.items():
        field, read = _READERS[name]
        fields[field] = read(value)
    rule = Rule(frequency=frequency, **fields)
    _fits_together(rule)
    return rule


def _fits_together(rule: Rule) -> None:
    if rule.count is not None and rule.until is not None:
        raise RuleRefused("COUNT and UNTIL exclude each other (RFC 5545)", "keep one of them")
    if any(ordinal for ordinal, _ in rule.weekdays) and rule.frequency in ("DAILY", "WEEKLY"):
        raise RuleRefused(
            "BYDAY with a number needs FREQ=MONTHLY or YEARLY (RFC 5545)",
            "write FREQ=MONTHLY;BYDAY=2SU for the second Sunday of each month",
        )
    if rule.month_days and rule.frequency == "WEEKLY":
        raise RuleRefused(
            "BYMONTHDAY does not go with FREQ=WEEKLY (RFC 5545)", "use FREQ=MONTHLY or DAILY"
        )
    if rule.positions and not (rule.months or rule.month_days or rule.weekdays):
        raise RuleRefused(
            "BYSETPOS chooses among days that another part lists (RFC 5545)",
            "write for example FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        )


@functools.lru_cache(maxsize=256)
def _last_counted(rule: Rule, first: date) -> date | None:
    """The day of the last occurrence that COUNT allows; None where it is never reached."""
    end = _shifted(first, COUNTED_YEARS)
    last: date | None = None
    for number, day in enumerate(rule._uncounted(first, first, end), start=1):
        last = day
        if number == rule.count:
            break
    return last


def _shifted(day: date, years: int) -> date:
    return date(min(day.year + years, date.max.year), 1, 1)


def _periods(rule: Rule, first: date, begin: date, end: date) -> Iterator[tuple[date, int]]:
    """First day and length of each period that may hold days between `begin` and `end`."""
    if rule.frequency in ("DAILY", "WEEKLY"):
        length = 1 if rule.frequency == "DAILY" else 7
        back = 0 if length == 1 else (first.weekday() - rule.week_start) % 7
        origin = first.toordinal() - back
        step = length * rule.interval
        at = origin + max(0, (begin.toordinal() - origin) // step) * step
        while 1 <= at < end.toordinal() and at + length <= date.max.toordinal():
            yield date.fromordinal(at), length
            at += step
        return
    months = 1 if rule.frequency == "MONTHLY" else 12
    origin = first.year * 12 + (first.month - 1 if months == 1 else 0)
    step = months * rule.interval
    at = origin + max(0, (begin.year * 12 + begin.month - 1 - origin) // step) * step
    while at // 12 < date.max.year and (start := date(at // 12, at % 12 + 1, 1)) < end:
        after = at + months
        yield start, (date(after // 12, after % 12 + 1, 1) - start).days
        at += step


def _number(name: str, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,6}", value) or not 1 <= int(value) <= most:
            raise RuleRefused(f"{name} is not a number from 1 to {most}", f"write {name}=1 or more")
        return int(value)

    return read


def _numbers(name: str, most: int, *, signed: bool) -> Callable[[str], tuple[int, ...]]:
    def read(value: str) -> tuple[int, ...]:
        found = []
        for part in value.split(","):
            good = re.fullmatch(r"[+-]?[0-9]{1,3}" if signed else r"[0-9]{1,3}", part)
            if not good or not 1 <= abs(int(part)) <= most:
                low = f"-{most} to -1 or 1" if signed else "1"
                raise RuleRefused(
                    f"{name} is not a list of numbers from {low} to {most}", f"write {name}=1"
                )
            found.append(int(part))
        return tuple(dict.fromkeys(found))

    return read


def _weekdays(value: str) -> tuple[tuple[int, int], ...]:
    found = []
    for part in value.split(","):
        match = _BYDAY.fullmatch(part)
        ordinal = int(match[1] or 0) if match else 99
        if match is None or abs(ordinal) > 53 or (match[1] and ordinal == 0):
            raise RuleRefused(
                "BYDAY is not a list of days such as MO,TU or 2SU,-1FR", "write BYDAY=SA,SU"
            )
        found.append((ordinal, _DAYS.index(match[2])))
    return tuple(dict.fromkeys(found))


def _until(value: str) -> datetime:
    match = _UNTIL.fullmatch(value)
    try:
        if match is None:
            raise ValueError
        if match[2] is None:
            return datetime.strptime(match[1], "%Y%m%d").replace(hour=23, minute=59, second=59)  # noqa: DTZ007
        read = datetime.strptime(match[1] + match[2], "%Y%m%d%H%M%S")  # noqa: DTZ007
    except ValueError:
        raise RuleRefused(
            "UNTIL is not a date or time of RFC 5545", "write UNTIL=20261231 or 20261231T230000Z"
        ) from None
    return read.replace(tzinfo=UTC) if match[3] else read


def _week_start(value: str) -> int:
    if value not in _DAYS:
        raise RuleRefused("WKST is not a day", "write WKST=MO")
    return _DAYS.index(value)


_READERS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "INTERVAL": ("interval", _number("INTERVAL", MOST_INTERVAL)),
    "COUNT": ("count", _number("COUNT", MOST_COUNT)),
    "UNTIL": ("until", _until),
    "BYMONTH": ("months", _numbers("BYMONTH", 12, signed=False)),
    "BYMONTHDAY": ("month_days", _numbers("BYMONTHDAY", 31, signed=True)),
    "BYDAY": ("weekdays", _weekdays),
    "BYSETPOS": ("positions", _numbers("BYSETPOS", 366, signed=True)),
    "WKST": ("week_start", _week_start),
}
