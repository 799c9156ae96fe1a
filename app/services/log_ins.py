"""A wrong password reaches an appliance once, however many requests want to use it.

The appliance bans an address after a few failed log-ins, and then the right password does not help
either. So a declined password is written to the registry, where every process sees it; and until a
log-in (endpoint, credential, version) has been accepted in this process, the first uses of it go
one after the other, each of them reading the registry before it sends anything. Two processes that
log in for the first time at the same moment may still send a wrong password once each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from app.services.access import Access
from transports.base import Capability, KnowsRoundTrip, Operation, Transport, UsesRoot
from transports.command import Command, Setting
from transports.document import Node, Path
from transports.errors import AuthenticationFailed, CommandRejected

R = TypeVar("R")
LogIn = tuple[str, str, int]
"""Endpoint, credential, version; see `Access.login`."""

DECLINED = "the peer declined this password before; it is not tried again until it is rotated"
ROOT = "root"


class Declined(Protocol):
    """What is remembered for all processes: `app.services.access.PeerAccess`."""

    async def credential_rejected(self, access: Access, *, root: bool = False) -> bool:
        """Whether somebody was declined with it."""
        ...

    async def mark_rejected(self, access: Access, *, root: bool = False) -> None:
        """Remember that it was declined."""
        ...


class LogIns:
    """The log-ins of one process: which were accepted, which declined, whose turn it is."""

    def __init__(self, registry: Declined) -> None:
        self._registry = registry
        self._accepted: set[LogIn] = set()
        self._declined: set[LogIn] = set()
        self._turns: dict[LogIn, asyncio.Lock] = {}

    async def use(self, access: Access, call: Callable[[], Awaitable[R]], *, root: bool) -> R:
        """Make a call that may log in. Raises AuthenticationFailed unasked where that is known."""
        login = access.login(root=root)
        self._refuse_declined(access, root=root)
        if login in self._accepted:
            return await self._called(access, call)
        async with self._turns.setdefault(login, asyncio.Lock()):
            self._refuse_declined(access, root=root)
            if await self._registry.credential_rejected(access, root=root):
                self._declined.add(login)
                self._refuse_declined(access, root=root)
            try:
                answer = await self._called(access, call)
            except CommandRejected:
                self._accepted.add(login)  # it was heard, so the log-in was good
                raise
            self._accepted.add(login)
            return answer

    def _refuse_declined(self, access: Access, *, root: bool) -> None:
        at_opening = access.root.rejected if root and access.root else access.rejected
        if at_opening or access.login(root=root) in self._declined:
            raise AuthenticationFailed(DECLINED, account=ROOT if root else "")

    async def _called(self, access: Access, call: Callable[[], Awaitable[R]]) -> R:
        try:
            return await call()
        except AuthenticationFailed as declined:
            root = declined.account == ROOT
            # In memory first: a caller that gives up now must not make it forgotten.
            self._declined.add(access.login(root=root))
            self._accepted.discard(access.login(root=root))
            await self._registry.mark_rejected(access, root=root)
            raise


class Remembering:
    """A transport that never offers a declined password again, in this process or another."""

    def __init__(self, inner: Transport, access: Access, log_ins: LogIns) -> None:
        self._inner = inner
        self._access = access
        self._log_ins = log_ins
        self._as_root = inner.as_root if isinstance(inner, UsesRoot) else frozenset[Capability]()

    @property
    def name(self) -> str:
        """See Transport."""
        return self._inner.name

    @property
    def capabilities(self) -> frozenset[Capability]:
        """See Transport."""
        return self._inner.capabilities

    @property
    def round_trip(self) -> float | None:
        """See `transports.base.KnowsRoundTrip`."""
        inner = self._inner
        return inner.round_trip if isinstance(inner, KnowsRoundTrip) else None

    async def read_status(self, path: Path) -> Node:
        """See Transport."""
        return await self._guarded(lambda: self._inner.read_status(path))

    async def read_configuration(self, path: Path) -> Node:
        """See Transport."""
        return await self._guarded(lambda: self._inner.read_configuration(path))

    async def write(self, settings: Sequence[Setting]) -> None:
        """See Transport."""
        await self._guarded(lambda: self._inner.write(settings))

    async def run(self, command: Command) -> Node:
        """See Transport."""
        return await self._guarded(lambda: self._inner.run(command))

    async def perform(self, operation: Operation[R]) -> R:
        """See Transport."""
        return await self._guarded(lambda: self._inner.perform(operation), operation.capability)

    async def close(self) -> None:
        """See Transport."""
        await self._inner.close()

    async def _guarded(
        self,
        call: Callable[[], Awaitable[R]],
        capability: Capability = Capability.ADMINISTRATION,
    ) -> R:
        return await self._log_ins.use(self._access, call, root=capability in self._as_root)
