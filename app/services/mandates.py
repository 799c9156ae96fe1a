"""In whose name the service starts jobs that were asked for earlier.

Whoever asked reaches no further then than in a request of their own: what they held when they
asked, and of that what they hold still.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.procedures.base import Procedure
from app.security.keys import Principal, Scope
from app.services.labels import LimitingLabels
from app.services.problems import Problem


async def owner_now(
    labels: LimitingLabels,
    owner_id: str,
    scopes: Sequence[str],
    clusters: Sequence[str] | None,
    now: datetime,
    *,
    asked_for: str,
) -> Principal:
    """The key that asked, as it may act now. Raises Problem `forbidden` where it may not."""
    async with labels.store.transaction() as tx:
        key = await tx.keys.get(owner_id)
    if key is None or not _good(key.limits.expires_at, now):
        raise Problem("forbidden", f"the key that made {asked_for} was revoked or has expired")
    present = key.principal
    if not present.may(Scope.JOBS_RUN):
        raise Problem("forbidden", f"the key that made {asked_for} may run jobs no longer")
    limits = replace(
        present.limits,
        scopes=frozenset(Scope(scope) for scope in scopes),
        clusters=_narrower(clusters, present.limits.clusters),
    )
    return await labels.reached(replace(present, limits=limits))


def kept_parameters(procedure: Procedure, kept: Any) -> Any:
    """The parameters out of their JSON. Raises Problem where the procedure has others by now."""
    names = {field.name for field in dataclasses.fields(procedure.parameters)}
    try:
        return procedure.parameters(
            **{
                name: tuple(value) if isinstance(value, list) else value
                for name, value in kept.items()
                if name in names
            }
        )
    except (TypeError, ValueError):
        raise Problem(
            "invalid-request", "the procedure has other parameters by now; ask for it anew"
        ) from None


def _narrower(then: Sequence[str] | None, now: frozenset[str] | None) -> frozenset[str] | None:
    """The clusters that both reach; None stands for all."""
    if then is None:
        return now
    return frozenset(then) if now is None else now.intersection(then)


def _good(expires_at: datetime | None, now: datetime) -> bool:
    return expires_at is None or now < expires_at
