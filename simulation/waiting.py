"""What a story's job waits for beside its peers: people who agree, a scheduled start, windows.

Drawn apart from the rest of a story, so that what an older seed is about stays what it was. All
times are seconds from the moment at which the job is made.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.domain.terms import Decision, Terms, Verdict
from app.domain.window import Calendar, Window

REQUESTER = "tester"
APPROVERS = ("Bea", "Cid", "Dan")
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Word:
    """What one approver says, and after how long."""

    by: str
    after: float
    verdict: Verdict = Verdict.APPROVED

    def decision(self, digest: str, now: datetime) -> Decision:
        """In the words of the domain."""
        return Decision(self.by, self.verdict, self.by, "a simulated word", digest, now)


@dataclass(frozen=True, slots=True)
class Waits:
    """What is asked of the job. The default asks nothing."""

    approvals: int = 0
    words: tuple[Word, ...] = ()
    expires_after: float | None = None
    starts_after: float | None = None
    openings: tuple[tuple[float, float], ...] = ()
    """When windows open that recur every day, and for how long; none: it is always open."""
    enforced: bool = False

    def terms(self, now: datetime) -> Terms:
        """The terms of a job that is made now."""

        def at(after: float | None) -> datetime | None:
            return None if after is None else now + timedelta(seconds=after)

        return Terms(
            approvals=self.approvals,
            four_eyes=bool(self.approvals),
            approve_before=at(self.expires_after),
            not_before=at(self.starts_after),
            enforce_window=self.enforced,
            calendar=Calendar(tuple(_daily(now, *opening) for opening in self.openings)),
        )

    def __str__(self) -> str:
        lines = []
        if self.approvals:
            said = ", ".join(f"{w.by} {w.verdict.value} after {w.after:.0f}" for w in self.words)
            lines += [f"  approvals {self.approvals} before {self.expires_after}: {said or '-'}"]
        if self.starts_after is not None:
            lines += [f"  starts after {self.starts_after:.0f}"]
        if self.openings:
            opened = ", ".join(f"{after:.0f} for {lasts:.0f}" for after, lasts in self.openings)
            lines += [f"  windows open at {opened}{', enforced' if self.enforced else ''}"]
        return "\n".join(lines)


NOTHING_ASKED = Waits()


def draw_waits(seed: int) -> Waits:
    """What the job of a seed waits for; of half of them, nothing."""
    draw = random.Random(f"waits/{seed}")  # noqa: S311 - repeatable on purpose
    if draw.random() < 0.5:
        return NOTHING_ASKED
    approvals = draw.choice((0, 0, 1, 1, 2))
    words: tuple[Word, ...] = ()
    expires: float | None = None
    if approvals:
        # One more than is needed: a word too many, and a second one of a person, change nothing.
        names = [*draw.sample(APPROVERS, approvals), draw.choice(APPROVERS)]
        words = tuple(_word(draw, name) for name in names)
        expires = draw.choice((600.0, 1800.0, 2 * HOUR, 2 * HOUR))
    starts = draw.uniform(1, 2 * HOUR) if draw.random() < 0.3 else None
    openings: tuple[tuple[float, float], ...] = ()
    if draw.random() < 0.5:
        openings = tuple(
            (draw.uniform(0, 12 * HOUR), draw.choice((600.0, 1200.0, 2400.0, 2 * HOUR)))
            for _ in range(draw.choice((1, 4, 8)))
        )
    enforced = bool(openings) and draw.random() < 0.8
    return Waits(approvals, words, expires, starts, openings, enforced)


def _word(draw: random.Random, name: str) -> Word:
    verdict = Verdict.REJECTED if draw.random() < 0.1 else Verdict.APPROVED
    return Word(name, draw.uniform(1, draw.choice((300.0, 3000.0))), verdict)


def _daily(now: datetime, after: float, lasts: float) -> Window:
    start = (now + timedelta(seconds=after)).astimezone(UTC).replace(tzinfo=None)
    return Window("drawn", "UTC", start, start + timedelta(seconds=lasts), "FREQ=DAILY")
