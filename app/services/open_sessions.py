"""How many sessions this process has open: one with each access path of a peer, and so many in all.

The web server of an appliance is small, and so is the number of its command lines (device facts 5):
two connections to the one and one session on the other is what a transport opens by itself, so one
transport at a time may be open to an access path. And thousands of jobs must not mean thousands of
open sockets. A session that rests gives its place to one that wants to talk: it is closed, and
opened again when it is next used. One that talks is waited for, so nobody fails on our own limits;
as every exchange has its own end, every wait has one too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from weakref import WeakValueDictionary

from app.engine.under_way import UNDER_WAY
from transports.base import Capability, Endpoint, KnowsRoundTrip, Operation, Transport
from transports.command import Command, Setting
from transports.document import Node, Path

R = TypeVar("R")
PER_PATH = 1
"""Open transports to one access path of a peer: at most two HTTPS connections, one command line."""


class OpenSessions:
    """The places of one process. `limit` counts open transports, whatever they reach."""

    def __init__(self, limit: int) -> None:
        self._all = _Gate(limit)
        self._paths: WeakValueDictionary[tuple[str, str, int], _Gate] = WeakValueDictionary()

    @property
    def count(self) -> int:
        """How many transports are open, or about to open or close."""
        return len(self._all.inside)

    def limited(self, transport: Transport, endpoint: Endpoint) -> Limited:
        """The same transport, which waits for its place before it opens anything."""
        place = (transport.name, endpoint.host, endpoint.port)
        path = self._paths.get(place)
        if path is None:
            path = self._paths[place] = _Gate(PER_PATH)
        return Limited(transport, (path, self._all))


class _Gate:
    """Lets in so many; whoever waits comes in by order of arrival."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entrance = asyncio.Lock()
        self._moved = asyncio.Event()
        self.inside: dict[Limited, None] = {}
        """Those that have been at rest longest come first."""

    async def enter(self, session: Limited) -> None:
        """Wait for a place, closing a session that rests where there is none."""
        async with self._entrance:
            while len(self.inside) >= self._limit:
                resting = next((other for other in self.inside if other.resting), None)
                if resting is not None:
                    await resting.put_away()
                else:
                    self._moved.clear()
                    await self._moved.wait()
            self.inside[session] = None

    def rested(self, session: Limited) -> None:
        """The session has nothing to say for now."""
        if session in self.inside:
            del self.inside[session]
            self.inside[session] = None
        self._moved.set()

    def leave(self, session: Limited) -> None:
        """The session is closed."""
        self.inside.pop(session, None)
        self._moved.set()


class Limited:
    """A transport that is open only while it has its place. Implements Transport."""

    def __init__(self, inner: Transport, gates: Sequence[_Gate]) -> None:
        self._inner = inner
        self._gates = gates
        self._talking = 0
        self._placed = False
        self._opening = asyncio.Lock()

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

    @property
    def resting(self) -> bool:
        """Whether it has a place and nothing to say."""
        return self._placed and not self._talking

    async def read_status(self, path: Path) -> Node:
        """See Transport."""
        return await self._placed_for(lambda: self._inner.read_status(path))

    async def read_configuration(self, path: Path) -> Node:
        """See Transport."""
        return await self._placed_for(lambda: self._inner.read_configuration(path))

    async def write(self, settings: Sequence[Setting]) -> None:
        """See Transport."""
        await self._placed_for(lambda: self._inner.write(settings))

    async def run(self, command: Command) -> Node:
        """See Transport."""
        return await self._placed_for(lambda: self._inner.run(command))

    async def perform(self, operation: Operation[R]) -> R:
        """See Transport."""
        return await self._placed_for(lambda: self._inner.perform(operation))

    async def close(self) -> None:
        """See Transport."""
        if self._placed:
            await self.put_away()
        else:
            await self._inner.close()

    async def put_away(self) -> None:
        """Close it; its place is free once that is done, whoever gives up waiting for it."""
        self._placed = False
        await asyncio.shield(asyncio.create_task(self._put_away()))

    async def _put_away(self) -> None:
        try:
            await self._inner.close()
        finally:
            for gate in self._gates:
                gate.leave(self)

    async def _placed_for(self, call: Callable[[], Awaitable[R]]) -> R:
        self._talking += 1
        try:
            async with self._opening:
                if not self._placed:
                    await self._enter()
                    # The wait may have been long; what waited may belong to another worker by now.
                    UNDER_WAY.get().lease_check()
            return await call()
        finally:
            self._talking -= 1
            if not self._talking:
                for gate in self._gates:
                    gate.rested(self)

    async def _enter(self) -> None:
        entered: list[_Gate] = []
        try:
            for gate in self._gates:
                await gate.enter(self)
                entered.append(gate)
        except BaseException:
            for gate in entered:
                gate.leave(self)
            raise
        self._placed = True
