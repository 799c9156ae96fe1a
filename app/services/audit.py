"""The audit trail for its readers, and what is written down outside a change."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from app.security.acting import Act
from app.security.trail import Deed, Written
from app.services.audit_records import Broken, Sought
from app.services.ports import Store
from app.services.problems import Problem
from app.services.records import Page

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AuditService:
    """Reads the trail, and keeps what no change's own transaction could."""

    store: Store

    async def page(self, sought: Sought, before: int | None, limit: int) -> Page[Written]:
        """Some rows, newest first; a limited key finds its own and its clusters'."""
        async with self.store.transaction() as tx:
            return await tx.audit.page(sought, before, limit)

    async def verify(self) -> tuple[int, str] | Broken:
        """Number and hash of the last row where the chain is whole; else where it breaks."""
        async with self.store.transaction(beyond_reach=True) as tx:
            return await tx.audit.verify()

    async def hash_at(self, seq: int) -> str | None:
        """The hash of one row, None where there is none."""
        async with self.store.transaction(beyond_reach=True) as tx:
            return await tx.audit.hash_at(seq)

    async def answered(self, act: Act, status: int) -> None:
        """Write down how a request ended that left no row of its own.

        That is one that was denied, one that would have changed something and was refused, and one
        that succeeded without changing the database, such as an observation.
        """
        if act.noted or not act.action or not (act.changing or status == 403):
            return
        outcome = "denied" if status == 403 else "failed" if status >= 400 else "done"
        await self._write(act.deed(outcome, status=status))

    async def stranger(self, source: str) -> None:
        """Write down that somebody at that address presented no good key."""
        await self._write(
            Deed("authenticate", outcome="denied", actor_name="unknown", address=source)
        )

    async def _write(self, deed: Deed) -> None:
        try:
            async with self.store.transaction(beyond_reach=True) as tx:
                await tx.audit.append(deed)
        except Problem as problem:
            # The answer has been given or refused already; the log is what is left to say it in.
            log.error("not in the audit trail: %s (%s)", deed.action, problem.code)  # noqa: TRY400
