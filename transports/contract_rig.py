"""What the tests of the transport contract work with: a served fleet and ways to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from transports import errors
from transports.base import Capability, Limits, Transport
from transports.document import Node, Path
from transports.mock import Expressway, Fleet

NAME = Path.parse("SystemUnit Name")
ALTERNATES = Path.parse("Alternates")
PATIENCE = 20.0
"""Real seconds after which something that had to come is given up."""


@dataclass(frozen=True)
class Access:
    """How a test wants to reach an appliance; every field off by default."""

    wrong_password: bool = False
    other_identity: bool = False
    """Trust pinned to another key or certificate than the appliance has."""
    limits: Limits = field(default_factory=lambda: Limits(connect=5.0, reply=10.0))


Reach = Callable[[Expressway, Access], Transport]


@dataclass
class Rig:
    """What one test works with: the fleet, its first appliance, and ways to it."""

    fleet: Fleet
    reach: Reach
    opened: list[Transport] = field(default_factory=list)

    @property
    def device(self) -> Expressway:
        """The first appliance of the fleet."""
        return next(iter(self.fleet))

    def transport(self, *, peer: str = "", **access: Any) -> Transport:
        """A transport to the first appliance, or that of the name; closed after the test."""
        device = self.fleet[peer] if peer else self.device
        transport = self.reach(device, Access(**access))
        self.opened.append(transport)
        return transport


def facts(tree: Node) -> dict[str, str]:
    """Every leaf of a tree by its path."""
    return {str(path): value for path, value in tree.leaves()}


def needs(transport: Transport, capability: Capability) -> None:
    """Skip the test where the transport does not offer it."""
    if capability not in transport.capabilities:
        pytest.skip(f"{transport.name} offers no {capability}")


async def is_down(device: Expressway) -> bool:
    """Whether the appliance is off or restarting."""
    return not device.up


async def answers(transport: Transport) -> bool:
    """Whether the appliance can be read."""
    try:
        await transport.read_status(ALTERNATES)
    except (errors.NotSent, errors.OutcomeUnknown):
        return False
    return True


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Look again and again until it is true; fails after PATIENCE."""
    async with asyncio.timeout(PATIENCE):
        while not await look():  # noqa: ASYNC110  # the appliance gives no sign to wait for
            await asyncio.sleep(0.01)
