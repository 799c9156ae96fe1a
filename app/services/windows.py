"""Windows as resources, and how those of a cluster become the calendar of a job.

A window of kind `window` opens for the clusters whose policy names it. One of kind `blackout`
closes every cluster while it lasts: a change freeze. Neither is looked at again once a job has its
terms.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from app.domain.clock import Clock
from app.domain.recurrence import RuleRefused
from app.domain.terms import Policy
from app.domain.window import YEARS, Calendar, Opening, Window, WindowRefused
from app.services.conditions import Expected, remember, replay, tag
from app.services.ports import NewId, Store, Transaction
from app.services.problems import Item, Problem, invalid, not_found
from app.services.records import Once, Outcome, Page, RegisteredWindow, WindowKind

_FIELDS = {"zone": "time_zone"}


@dataclass(frozen=True, slots=True)
class WindowsService:
    """What callers may do with windows."""

    store: Store
    clock: Clock
    new_id: NewId

    async def create(
        self, kind: WindowKind, make: Callable[[], Window], once: Once | None
    ) -> Outcome[RegisteredWindow]:
        """Register one. Raises Problem `invalid-request`, `name-taken`."""
        now = self.clock.now()
        made = RegisteredWindow(
            self.new_id("window"), kind, self._sensible(kind, make, now), version=1, created_at=now
        )
        async with self.store.transaction() as tx:
            found = await replay(tx, once, now, tx.windows.get)
            if found is not None:
                return found
            await tx.windows.add(made)
            await remember(tx, once, made.id, now)
        return Outcome(made)

    async def get(self, window_id: str) -> RegisteredWindow:
        """One window. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            return await _found(tx, window_id)

    async def page(self, after: str | None, limit: int) -> Page[RegisteredWindow]:
        """Some windows, in the order they were registered."""
        async with self.store.transaction() as tx:
            return await tx.windows.page(after, limit)

    async def replace(
        self, window_id: str, kind: WindowKind, make: Callable[[], Window], expected: Expected
    ) -> RegisteredWindow:
        """Change one; jobs that were started before keep what it was.

        Raises Problem `not-found`, `precondition-failed`, `invalid-request`, `name-taken`.
        """
        async with self.store.transaction() as tx:
            old = await _found(tx, window_id, lock=True)
            expected.check(tag(window_id, old.version))
            if kind is not old.kind:
                raise invalid(
                    "/kind", "a window stays what it is", remedy="register another one instead"
                )
            window = self._sensible(kind, make, self.clock.now())
            changed = replace(old, window=window, version=old.version + 1)
            await tx.windows.replace(changed)
        return changed

    async def delete(self, window_id: str, expected: Expected) -> None:
        """Forget one. Raises Problem `not-found`, `precondition-failed`, `window-in-use`."""
        async with self.store.transaction() as tx:
            found = await _found(tx, window_id, lock=True)
            expected.check(tag(window_id, found.version))
            users = await tx.windows.used_by(window_id)
            if users:
                raise Problem(
                    "window-in-use",
                    "a cluster's policy or a job that has not ended names this window",
                    errors=[Item(code="used-by", detail=f"used by {user}") for user in users],
                    window_id=window_id,
                )
            await tx.windows.remove(window_id)

    async def openings(self, window_id: str, count: int) -> Sequence[Opening]:
        """The next openings, change freezes taken out; of a blackout, when it closes."""
        async with self.store.transaction() as tx:
            found = await _found(tx, window_id)
            blackout = found.kind is WindowKind.BLACKOUT
            frozen = [] if blackout else await tx.windows.freezes()
        calendar = Calendar((found.window,), tuple(freeze.window for freeze in frozen))
        return tuple(itertools.islice(calendar.openings(self.clock.now()), count))

    @staticmethod
    def _sensible(kind: WindowKind, make: Callable[[], Window], now: datetime) -> Window:
        window = made(make)
        if kind is WindowKind.BLACKOUT and window.blackouts:
            raise invalid("/blackouts", "a blackout has no blackouts of its own")
        if Calendar((window,)).opens(now) is None:
            raise invalid(
                "/recurrence" if window.rule else "/end",
                "it never opens from now on, or not within ten years",
                code="never-opens",
                remedy="correct the times or the rule",
            )
        return window


def made(make: Callable[[], Window]) -> Window:
    """The window that this makes. Raises Problem `invalid-request` where it makes no sense."""
    try:
        return make()
    except RuleRefused as refused:
        raise invalid("/recurrence", str(refused), remedy=refused.remedy) from None
    except WindowRefused as refused:
        field = _FIELDS.get(refused.field, refused.field)
        raise invalid(f"/{field}", str(refused), remedy=refused.remedy) from None


async def of_policy(tx: Transaction, window_ids: Sequence[str]) -> tuple[Window, ...]:
    """The windows a policy names. Raises Problem `invalid-request` where one cannot serve.

    None of them is deleted until the transaction ends.
    """
    found = {window.id: window for window in await tx.windows.named(window_ids)}
    for number, window_id in enumerate(window_ids):
        if window_id not in found:
            raise invalid(f"/policy/window_ids/{number}", "there is no window with this id")
        if found[window_id].kind is not WindowKind.WINDOW:
            raise invalid(
                f"/policy/window_ids/{number}",
                "a blackout closes every cluster by itself and opens none",
            )
    return tuple(found[window_id].window for window_id in window_ids)


async def calendar_of(
    tx: Transaction, policy: Policy, change: Mapping[str, Any] | None, now: datetime
) -> Calendar:
    """When a job may work that is started now under this policy and change record.

    The change window counts where the policy enforces windows. Raises Problem `invalid-request`.
    """
    windows = await of_policy(tx, policy.window_ids)
    freezes = tuple(
        freeze.window
        for freeze in await tx.windows.freezes()
        if Calendar((freeze.window,)).opens(now) is not None
    )
    within = change_window(change or {}) if policy.enforce_window else (None, None)
    return Calendar(windows, freezes, within)


def change_window(change: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """Start and end of the caller's change window. Raises Problem `invalid-request`."""
    begin, end = (_moment(change, name) for name in ("window_start", "window_end"))
    if begin is not None and end is not None and end <= begin:
        raise invalid("/change/window_end", "the change window does not end after it begins")
    return begin, end


def _moment(change: Mapping[str, Any], name: str) -> datetime | None:
    text = str(change.get(name) or "").strip()
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
        if "T" not in text.upper() or read.tzinfo is None or read.year not in YEARS:
            raise ValueError
    except ValueError:
        raise invalid(
            f"/change/{name}",
            "the policy of the cluster enforces windows, and this is no time of RFC 3339",
            remedy="write it with its offset: 2026-03-01T22:00:00Z or 2026-03-01T23:00:00+01:00",
        ) from None
    return read.astimezone(UTC)


async def _found(tx: Transaction, window_id: str, *, lock: bool = False) -> RegisteredWindow:
    found = await tx.windows.get(window_id, lock=lock)
    if found is None:
        raise not_found("window", window_id)
    return found
