"""Who is acting now, and how far they reach: known wherever the work of a request leads.

A key may be limited to some clusters. Were that limit an argument, one forgotten argument would be
a hole; so it travels with the work itself, as a context variable that the API sets before any
handler runs and that storage reads whenever a transaction is opened. Whoever acts by nobody's order
(a worker, the watch, the command line) reaches everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from app.security.keys import Principal
from app.security.trail import Deed


@dataclass(slots=True)
class Act:
    """One request at work: who asks, from where, and for what.

    `action` and `objects` are filled in as soon as it is known which operation is meant.
    """

    principal: Principal
    address: str = ""
    request_id: str = ""
    action: str = ""
    objects: Mapping[str, str] = field(default_factory=dict)
    changing: bool = False
    """Whether the request may change something: its method says so."""
    noted: bool = False
    """Whether a change it made is in the audit trail."""

    def deed(self, outcome: str, **details: Any) -> Deed:
        """What the audit trail says of it."""
        return Deed(
            action=self.action,
            outcome=outcome,
            actor=self.principal.id,
            actor_name=self.principal.name,
            address=self.address,
            request_id=self.request_id,
            objects=dict(self.objects),
            details=details,
        )


_ACT: ContextVar[Act | None] = ContextVar("act", default=None)


def note(**objects: str) -> None:
    """Tell the audit trail what the request at work turned out to be about."""
    act = _ACT.get()
    if act is not None:
        act.objects = {**act.objects, **objects}


def reach_also(cluster_id: str) -> None:
    """Who is limited by labels and has just declared a cluster with them reaches it from now on."""
    act = _ACT.get()
    if act is not None:
        labelled = act.principal.labelled | {cluster_id}
        act.principal = replace(act.principal, labelled=labelled)


def now_acting() -> Act | None:
    """The request at work here; None where the service works by itself."""
    return _ACT.get()


@contextmanager
def acting(act: Act) -> Iterator[Act]:
    """Everything in this block, and every task it starts, is done for that caller."""
    token = _ACT.set(act)
    try:
        yield act
    finally:
        _ACT.reset(token)
