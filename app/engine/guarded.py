"""A job's tools that ask for the lease before every use, not only before every act.

One act may be many exchanges, and a worker can be frozen between any two of them. What it wakes up
to do then must be nothing: the peers may belong to another job by now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

from app.appliance.appliance import Appliance
from app.engine.ports import LeaseCheck, Tools

T = TypeVar("T")


def guarded(tools: Tools, check: LeaseCheck) -> Tools:
    """The same tools; `check` raises LeaseLost before whatever would be used without a lease."""

    async def appliance(peer_id: str) -> Appliance:
        check()
        return (await tools.appliances(peer_id)).only_while(check)

    return replace(
        tools,
        appliances=appliance,
        registry=_asking(tools.registry, check),
        backups=_asking(tools.backups, check),
    )


class _Asking:
    """Asks before every method of another object; all of them are coroutines."""

    def __init__(self, inner: object, check: LeaseCheck) -> None:
        self._inner = inner
        self._check = check

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._inner, name)

        async def ask_first(*args: Any, **more: Any) -> Any:
            self._check()
            return await method(*args, **more)

        return ask_first


def _asking(inner: T, check: LeaseCheck) -> T:
    return cast("T", _Asking(inner, check))
