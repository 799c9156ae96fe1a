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
from dataclasses import dataclass, field

from app.security.keys import Principal


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


_ACT: ContextVar[Act | None] = ContextVar("act", default=None)


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
