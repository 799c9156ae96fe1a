"""What the admin command line means: the four verbs and the operations, in typed words.

Below this module are bytes and lines, above it only documents. Whether a refusal is a NotSupported
(a place the appliance does not know) or a CommandRejected (something it declined to do) is decided
here, because only the verb tells.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import Protocol, cast

from transports.base import (
    Capability,
    CreateBackup,
    DeleteAdminAccount,
    Endpoint,
    FactoryReset,
    InstallSoftware,
    Operation,
    PurgeClusterDatabase,
    R,
    ReadAdminAccounts,
)
from transports.command import Command, Setting, command_line, setting_line
from transports.document import Node, Path
from transports.errors import CommandRejected, Garbled, InvalidRequest, NotSupported
from transports.ssh import accounts, factory_reset, replies, software
from transports.ssh.connection import pin_of
from transports.ssh.framing import Reply
from transports.ssh.options import read_options
from transports.ssh.root_command_line import RootCommandLine
from transports.ssh.root_shell import ROOT, RootShell
from transports.ssh.session import Session
from transports.writing import one_after_another

_ADMIN = frozenset({Capability.ADMINISTRATION, Capability.ADMIN_ACCOUNTS})
_ROOT = frozenset(
    {
        Capability.BACKUP,
        Capability.INSTALL_SOFTWARE,
        Capability.FACTORY_RESET,
        Capability.PURGE_CLUSTER_DATABASE,
    }
)
_MANY_LINES = 20_000
"""Above this a reply is read in a thread, so that one long reply does not hold up every peer."""


class _Reader(Protocol):
    """Reads the lines of a reply into a tree."""

    def __call__(self, lines: Sequence[str], *, max_depth: int) -> Node: ...


class _CommandLine(Protocol):
    """A way to the command line: exchanges lines, one at a time."""

    async def exchange(self, line: str) -> Reply: ...

    async def close(self) -> None: ...

    def abandon(self) -> None: ...


def create(endpoint: Endpoint) -> SshTransport:
    """The entry point `ssh`: a transport for the endpoint, not yet connected.

    Raises InvalidRequest on options or a trust it does not understand.
    """
    return SshTransport(endpoint)


class SshTransport:
    """One Expressway by its admin command line and, where granted, its root shell.

    See `transports.base.Transport` for the contract and `transports.ssh.options` for the options.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        pin_of(endpoint)
        if endpoint.username == ROOT:
            raise InvalidRequest("the command line is the account admin's; root is an option")
        self._options = read_options(endpoint)
        self._limits = endpoint.limits
        self._turn = asyncio.Lock()
        self._root = RootShell(endpoint, self._options)
        self._session: _CommandLine = (
            RootCommandLine(self._root, self._options.tsh, endpoint.limits)
            if self._options.tsh
            else Session(endpoint, self._options)
        )
        self._root_turn = asyncio.Lock()

    @property
    def name(self) -> str:
        """`ssh`."""
        return "ssh"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Administration; with a root shell also backup, upgrade, factory reset and purge."""
        return _ADMIN | _ROOT if self._options.root else _ADMIN

    @property
    def as_root(self) -> frozenset[Capability]:
        """See `transports.base.UsesRoot`; with `tsh` the command line is root's as well."""
        return self.capabilities if self._options.tsh else self.capabilities & _ROOT

    @property
    def round_trip(self) -> float | None:
        """See `transports.base.KnowsRoundTrip`."""
        return self._session.round_trip if isinstance(self._session, Session) else None

    async def read_status(self, path: Path) -> Node:
        """The status below the path. Raises NotSupported where the appliance does not know it."""
        return await self._read("xStatus", path, replies.status)

    async def read_configuration(self, path: Path) -> Node:
        """The configuration below the path. Raises NotSupported where it is unknown."""
        return await self._read("xConfiguration", path, replies.configuration)

    async def write(self, settings: Sequence[Setting]) -> None:
        """Write settings in order, each in its own exchange; stops at the first that is refused."""
        for setting in settings:
            setting_line(setting)  # what cannot be said stops all before the first is sent

        async def write(setting: Setting) -> None:
            reply = await self._session.exchange(setting_line(setting))
            self._accepted(reply, f"setting {setting.path}", [setting.value])

        async with self._turn:
            await one_after_another(settings, write)

    async def run(self, command: Command) -> Node:
        """Run a command; its result values as children. Raises CommandRejected."""
        line = command_line(command)
        async with self._turn:
            reply = await self._session.exchange(line)
            return self._accepted(reply, f"command {command.name}", command.parameters.values())

    async def perform(self, operation: Operation[R]) -> R:
        """Carry out an operation. Raises NotSupported where its capability is not listed."""
        if operation.capability not in self.capabilities:
            raise NotSupported(f"{operation.capability} is not possible over this ssh endpoint")
        return cast("R", await self._perform(operation))

    async def close(self) -> None:
        """Close the session. Never raises; the transport may be used again."""
        async with self._turn:
            await self._session.close()

    async def _perform(self, operation: Operation[object]) -> object:
        match operation:
            case ReadAdminAccounts():
                return await accounts.read_names(self)
            case DeleteAdminAccount(name=name):
                await accounts.delete(self, name)
                return None
            case _:
                pass
        async with self._root_turn, self._root.opened() as shell:
            match operation:
                case CreateBackup():
                    return await software.back_up(shell, operation, self._limits.transfer)
                case InstallSoftware():
                    await software.install(
                        shell, operation, self._limits.transfer, self._options.poll_time
                    )
                case FactoryReset():
                    await factory_reset.reset(
                        shell, operation, self._options.quiet_time, self._limits.reply
                    )
                case PurgeClusterDatabase():
                    await factory_reset.purge(shell, self._limits.transfer)
                case _:
                    raise NotSupported(f"the ssh transport has no {type(operation).__name__}")
        return None

    async def _read(self, verb: str, path: Path, read: _Reader) -> Node:
        async with self._turn:
            reply = await self._session.exchange(f"{verb} {path}".rstrip())
            if reply.refusal or any(line.startswith("*r ") for line in reply.lines):
                raise NotSupported(f"the appliance does not know {verb} {path}")
            try:
                if not reply.lines and reply.other:
                    raise Garbled(f"the reply to {verb} {path} holds no known kind of line")
                tree = await self._parsed(reply.lines, read)
                wanted = {segment.name.casefold() for segment in path.segments[:1]}
                if wanted and any(child.name.casefold() not in wanted for child in tree.children):
                    raise Garbled(f"the reply to {verb} {path} is about something else")
            except BaseException:
                self._session.abandon()
                raise
            return tree

    async def _parsed(self, lines: Sequence[str], read: _Reader) -> Node:
        depth = self._limits.max_depth
        if len(lines) < _MANY_LINES:
            return read(lines, max_depth=depth)
        return await asyncio.to_thread(read, lines, max_depth=depth)

    def _accepted(self, reply: Reply, what: str, values: Iterable[str]) -> Node:
        """The result of a write or command; CommandRejected where the reply is a refusal."""
        try:
            if reply.refusal:
                raise CommandRejected("", description=reply.refusal[:300])
            results = [line for line in reply.lines if not line.startswith("*c ")]
            return replies.result(results, max_depth=self._limits.max_depth)
        except CommandRejected as refused:
            values = list(values)
            cause, words = _scrubbed(refused.cause, values), _scrubbed(refused.description, values)
            raise CommandRejected(
                f"the appliance declined {what}: {words or cause or 'no reason given'}",
                cause=cause,
                description=words,
            ) from None
        except Garbled:
            self._session.abandon()
            raise


def _scrubbed(words: str, values: Iterable[str]) -> str:
    """The appliance's words without the values we sent: one of them may be a secret."""
    for value in values:
        if value:
            words = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "...", words)
    return words
