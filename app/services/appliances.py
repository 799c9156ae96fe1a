"""Registered peers as open appliances: endpoint and credential become transports.

One `Sessions` holds at most one session per peer and closes them all at its end: a job has its own
while a worker carries it, and an observation for a caller opens one and closes it. A password that
an endpoint declined is remembered in the registry (app.services.log_ins), so no process tries it
there again until the credential is rotated or the endpoint changed. How many may be open at a time
is the business of app.services.open_sessions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from app.appliance.appliance import Appliance
from app.appliance.trouble import trouble_with
from app.domain.clock import Clock
from app.domain.observation import NotObserved, View
from app.domain.settings import PeerSettings
from app.services.access import PeerAccess
from app.services.exchanges import Exchanges, Told, Untold
from app.services.log_ins import LogIns, Remembering
from app.services.open_sessions import OpenSessions
from app.services.problems import Problem
from app.services.transcript import Notebook, Recorded
from transports.base import Endpoint, Transport
from transports.errors import InvalidRequest, TransportError

R = TypeVar("R")
Build = Callable[[str, Endpoint], Transport]
"""Transport name and endpoint to a transport that is not connected yet."""


class ConnectedPeers:
    """Implements `app.services.ports.Appliances`, and lends sessions to workers."""

    def __init__(
        self,
        access: PeerAccess,
        build: Build,
        clock: Clock,
        open_sessions: OpenSessions,
        exchanges: Exchanges | None = None,
    ) -> None:
        self._access = access
        self._open_sessions = open_sessions
        self._exchanges = exchanges or Untold()
        self._log_ins = LogIns(access)
        self._build = build
        self._clock = clock

    @asynccontextmanager
    async def sessions(self, notebook: Notebook | None = None) -> AsyncIterator[Sessions]:
        """Sessions for as long as the block lasts; what is said in them goes into the notebook."""

        async def open_peer(peer_id: str) -> Sequence[Transport]:
            return await self._open(peer_id, notebook)

        sessions = Sessions(open_peer, self._clock)
        try:
            yield sessions
        finally:
            await sessions.close()

    async def observe(self, peer_id: str) -> View:
        """What the peer says of itself now; why not, as a value."""
        async with self.sessions() as sessions:
            return await sessions.observe(peer_id)

    async def capabilities(self, peer_id: str) -> frozenset[str]:
        """What the peer's transports can do together; nothing is connected for this."""
        async with self.sessions() as sessions:
            try:
                appliance = await sessions.appliance(peer_id)
            except (InvalidRequest, Problem):
                return frozenset()
            return frozenset(capability.value for capability in appliance.capabilities)

    async def settings(self, peer_id: str, name: str) -> PeerSettings | None:
        """The peer's whole configuration now; None where it cannot be read."""
        async with self.sessions() as sessions:
            try:
                return await (await sessions.appliance(peer_id)).all_settings(name)
            except (TransportError, Problem):
                return None

    async def round_trips(
        self, peer_id: str, addresses: Sequence[str]
    ) -> Mapping[str, float | None]:
        """Milliseconds from the peer to each address; ends with the first one that fails."""
        found: dict[str, float | None] = {}
        async with self.sessions() as sessions:
            try:
                appliance = await sessions.appliance(peer_id)
                for address in addresses:
                    found[address] = await appliance.round_trip(address)
            except (TransportError, Problem):
                return found
        return found

    async def _open(self, peer_id: str, notebook: Notebook | None) -> Sequence[Transport]:
        opened: list[Transport] = []
        for path in await self._access.endpoints(peer_id):
            transport: Transport = self._build(path.transport, path.endpoint)
            transport = Told(transport, peer_id, self._exchanges)
            if notebook is not None:
                transport = Recorded(transport, peer_id, notebook)
            remembering = Remembering(transport, path, self._log_ins)
            opened.append(self._open_sessions.limited(remembering, path.endpoint))
        return opened


class Sessions:
    """At most one open appliance per peer, opened when first asked for."""

    def __init__(
        self, open_peer: Callable[[str], Awaitable[Sequence[Transport]]], clock: Clock
    ) -> None:
        self._open = open_peer
        self._clock = clock
        self._appliances: dict[str, Appliance] = {}
        self._opening = asyncio.Lock()

    async def appliance(self, peer_id: str) -> Appliance:
        """The peer's appliance. Raises Problem or InvalidRequest where its entry is not usable."""
        async with self._opening:
            if peer_id not in self._appliances:
                transports = await self._open(peer_id)
                self._appliances[peer_id] = Appliance(peer_id, transports, self._clock)
            return self._appliances[peer_id]

    async def observe(self, peer_id: str) -> View:
        """What the peer says of itself now; why not, as a value."""
        try:
            return await (await self.appliance(peer_id)).observe()
        except TransportError as error:
            trouble = trouble_with(error)
            code, detail, remedy = trouble.code, str(error) or type(error).__name__, trouble.remedy
        except Problem as problem:
            code, detail = problem.code, problem.detail
            remedy = "Correct the peer's entry, then try again."
        return NotObserved(peer_id, self._clock.now(), code, detail, remedy)

    async def forget(self, peer_id: str) -> None:
        """Close the session with a peer whose entry has changed; the next one is opened anew."""
        async with self._opening:
            appliance = self._appliances.pop(peer_id, None)
        if appliance is not None:
            await appliance.close()

    async def close(self) -> None:
        """Close every session."""
        appliances, self._appliances = list(self._appliances.values()), {}
        await asyncio.gather(*(appliance.close() for appliance in appliances))
