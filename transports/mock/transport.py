"""The transport that reaches a simulated fleet in process, without sockets.

It keeps the manners of the real ones: it logs in when first used and again after a restart, a wrong
password counts towards the ban and is not tried again, a restart in mid-command ends in
ConnectionLost, and what the appliance declines is declined.

Options: `fleet` (required), the name the fleet was registered under; `client`, the address it comes
from in the eyes of the appliance's intrusion protection; `root`, to use the root shell's
operations where the appliance grants root.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from transports.base import Capability, Endpoint, Operation
from transports.command import Command, Setting, command_line, setting_line
from transports.document import Node, Path
from transports.errors import InvalidRequest, NotSupported, ReplyTooLarge
from transports.mock import commands
from transports.mock.configuration import DeviceRefusal
from transports.mock.connection import Connection
from transports.mock.expressway import Expressway
from transports.mock.fleet import Fleet
from transports.mock.operations import OPERATIONS
from transports.mock.status import prune
from transports.writing import one_after_another

R = TypeVar("R")
_OPTIONS = {"fleet", "client", "root"}
_LINE = len('*c xConfiguration : ""\r\n')
"""What a line of the command line has beside path and value; a reply is as long as there."""
_ROOT_ONLY = frozenset({Capability.FACTORY_RESET, Capability.PURGE_CLUSTER_DATABASE})


class MockTransport:
    """`transports.base.Transport` over a fleet in the same process."""

    name = "mock"

    def __init__(self, endpoint: Endpoint, fleet: Fleet) -> None:
        unknown = set(endpoint.options) - _OPTIONS
        if unknown:
            raise InvalidRequest(f"mock: unknown options {', '.join(sorted(unknown))}")
        self._root = endpoint.options.get("root", "false").casefold() == "true"
        self._limits = endpoint.limits
        self._connection = Connection(endpoint, fleet)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Everything; the root shell's operations only with the option `root`."""
        everything = frozenset(Capability)
        return everything if self._root else everything - _ROOT_ONLY

    @property
    def as_root(self) -> frozenset[Capability]:
        """See `transports.base.UsesRoot`."""
        return self.capabilities & _ROOT_ONLY

    @property
    def round_trip(self) -> float | None:
        """See `transports.base.KnowsRoundTrip`."""
        return self._connection.round_trip

    async def read_status(self, path: Path) -> Node:
        """The status below the path; an empty root where there is nothing of that name."""
        return await self._connection.exchange(
            f"xStatus {path}",
            lambda device: self._answer(device, prune(_status(device, path), path)),
        )

    async def read_configuration(self, path: Path) -> Node:
        """The configuration below the path. Raises NotSupported where the path is unknown."""

        def read(device: Expressway) -> Node:
            try:
                return self._answer(device, device.configuration.tree(_words(path)))
            except DeviceRefusal as refusal:
                raise NotSupported(refusal.description) from None

        return await self._connection.exchange(f"xConfiguration {path}", read)

    async def write(self, settings: Sequence[Setting]) -> None:
        """Write one setting after the other; stops at the first that is refused."""

        async def write(setting: Setting) -> None:
            words, value = _words(setting.path), setting.value
            setting_line(setting)
            await self._connection.exchange(
                f"xConfiguration {setting.path}", lambda device: device.write(words, value)
            )

        await one_after_another(settings, write)

    async def run(self, command: Command) -> Node:
        """Run a command; its results as children of the returned node."""
        command_line(command)
        return await self._connection.exchange(
            f"xCommand {command.name}",
            lambda device: self._answer(
                device, commands.run(device, command.name, dict(command.parameters))
            ),
        )

    async def perform(self, operation: Operation[R]) -> R:
        """Carry out an operation through the web pages or the root shell."""
        if operation.capability not in self.capabilities:
            raise NotSupported(f"mock: {operation.capability} needs the option root=true")
        handler = OPERATIONS.get(type(operation))
        if handler is None:
            raise NotSupported(f"mock: {type(operation).__name__} is not known")
        return cast("R", await handler(self._connection, operation))

    async def close(self) -> None:
        """End the session."""
        await self._connection.close()

    def _answer(self, device: Expressway, node: Node) -> Node:
        """What is handed over, within the agreed limits. Raises ReplyTooLarge."""
        values: list[str] = []
        names, depth = _leaves(node, values)
        # One text for the witness: a secret lies within one value, so it lies within all of them.
        device.sent("\n".join(values))
        size = names + sum(map(len, values)) + _LINE * len(values)
        if size > self._limits.max_reply_bytes or depth > self._limits.max_depth:
            raise ReplyTooLarge("the reply is larger or deeper than agreed")
        return node


def _leaves(node: Node, values: list[str], above: int = 0, depth: int = 0) -> tuple[int, int]:
    """Gather the values of all elements without children; characters of their paths, and depth.

    `Node.leaves` gives whole paths, which nobody needs for every reply of a simulated fleet.
    """
    names, deepest = 0, depth
    for child in node.children:
        here = above + len(child.name) + 1
        if child.children:
            more, depth_there = _leaves(child, values, here, depth + 1)
            names += more
        else:
            values.append(child.value or "")
            names += here
            depth_there = depth + 1
        deepest = max(deepest, depth_there)
    return names, deepest


def _status(device: Expressway, path: Path) -> Node:
    return device.status(*(segment.name for segment in path.segments[:1]))


def _words(path: Path) -> list[str]:
    return str(path).split()
