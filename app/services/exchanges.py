"""Every exchange with a peer is told to whoever measures them: by what it is called, never more.

Stands closest to the transport, so what is measured is what happened there: a password that is
known to be declined is not an exchange.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

from transports.base import Capability, KnowsRoundTrip, Operation, Transport, UsesRoot
from transports.command import Command, Setting
from transports.document import Node, Path

R = TypeVar("R")


class Exchanges(Protocol):
    """Is told of exchanges."""

    def exchange(
        self, peer_id: str, transport: str, command: str, /
    ) -> AbstractContextManager[None]:
        """The block is one exchange. `command` is a name, such as `xCommand ClusterSetPeer`."""
        ...


class Untold:
    """Implements Exchanges: nobody is told."""

    def exchange(self, *_: object) -> AbstractContextManager[None]:
        """See Exchanges."""
        return nullcontext()


class Told:
    """A transport whose exchanges are told of. Implements Transport."""

    def __init__(self, inner: Transport, peer_id: str, exchanges: Exchanges) -> None:
        self._inner = inner
        self._peer_id = peer_id
        self._exchanges = exchanges
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
    def as_root(self) -> frozenset[Capability]:
        """See UsesRoot."""
        return self._as_root

    @property
    def round_trip(self) -> float | None:
        """See KnowsRoundTrip."""
        return self._inner.round_trip if isinstance(self._inner, KnowsRoundTrip) else None

    async def read_status(self, path: Path) -> Node:
        """See Transport."""
        with self._named(_place("xStatus", path)):
            return await self._inner.read_status(path)

    async def read_configuration(self, path: Path) -> Node:
        """See Transport."""
        with self._named(_place("xConfiguration", path)):
            return await self._inner.read_configuration(path)

    async def write(self, settings: Sequence[Setting]) -> None:
        """See Transport."""
        # Where it begins, not what is written, and not all that follows.
        with self._named(_place("write xConfiguration", *(s.path for s in settings[:1]))):
            await self._inner.write(settings)

    async def run(self, command: Command) -> Node:
        """See Transport."""
        with self._named(f"xCommand {command.name}"):
            return await self._inner.run(command)

    async def perform(self, operation: Operation[R]) -> R:
        """See Transport."""
        with self._named(operation.capability.value):
            return await self._inner.perform(operation)

    async def close(self) -> None:
        """See Transport."""
        await self._inner.close()

    def _named(self, command: str) -> AbstractContextManager[None]:
        return self._exchanges.exchange(self._peer_id, self.name, command)


def _place(verb: str, path: Path | None = None) -> str:
    """The verb and the first elements of a path; an index is left out."""
    names = [segment.name for segment in path.segments[:3]] if path is not None else []
    return " ".join((verb, *names))
