"""The transport that reaches a simulated fleet in process, without sockets.

It keeps the manners of the real ones: it logs in when first used and again after a restart, a wrong
password counts towards the ban, a restart in mid-command ends in ConnectionLost, and what the
appliance declines is declined.

Options: `fleet` (required), the name the fleet was registered under; `client`, the address it comes
from in the eyes of the appliance's intrusion protection; `root`, to use the root shell's
operations where the appliance grants root.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, cast

from transports import base
from transports.base import Capability, Endpoint, Operation
from transports.command import Command, Setting, command_line, setting_line
from transports.document import Node, Path
from transports.errors import (
    AuthenticationFailed,
    Banned,
    Busy,
    CommandRejected,
    ConnectionLost,
    InvalidRequest,
    NotSupported,
    ReplyTimeout,
    Unreachable,
)
from transports.mock import commands
from transports.mock.accounts import Login
from transports.mock.configuration import DeviceRefusal
from transports.mock.expressway import Expressway
from transports.mock.faults import FaultKind
from transports.mock.fleet import Fleet
from transports.mock.status import prune
from transports.mock.web import WebInterface

R = TypeVar("R")
T = TypeVar("T")
_OPTIONS = {"fleet", "client", "root"}
_ROOT_ONLY = frozenset({Capability.FACTORY_RESET, Capability.PURGE_CLUSTER_DATABASE})
_MAX_UPLOAD = 256 * 1024 * 1024
_UPLOADED = 64 * 1024


class MockTransport:
    """`transports.base.Transport` over a fleet in the same process."""

    name = "mock"

    def __init__(self, endpoint: Endpoint, fleet: Fleet) -> None:
        unknown = set(endpoint.options) - _OPTIONS
        if unknown:
            raise InvalidRequest(f"mock: unknown options {', '.join(sorted(unknown))}")
        self._endpoint = endpoint
        self._fleet = fleet
        self._client = endpoint.options.get("client", "198.51.100.7")
        self._root = endpoint.options.get("root", "false").casefold() == "true"
        self._lock = asyncio.Lock()
        self._declined = False
        self._session: tuple[Expressway, int] | None = None
        self._lost = asyncio.Event()

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Everything; the root shell's operations only with the option `root`."""
        everything = frozenset(Capability)
        return everything if self._root else everything - _ROOT_ONLY

    async def read_status(self, path: Path) -> Node:
        """The status below the path; an empty root where there is nothing of that name."""
        return await self._exchange(
            f"xStatus {path}",
            lambda device: _answer(device, prune(device.status(path.segments[0].name), path)),
        )

    async def read_configuration(self, path: Path) -> Node:
        """The configuration below the path. Raises NotSupported where the path is unknown."""

        def read(device: Expressway) -> Node:
            try:
                return _answer(device, device.configuration.tree(_words(path)))
            except DeviceRefusal as refusal:
                raise NotSupported(refusal.description) from None

        return await self._exchange(f"xConfiguration {path}", read)

    async def write(self, settings: Sequence[Setting]) -> None:
        """Write one setting after the other; stops at the first that is refused."""
        for setting in settings:
            words, value = _words(setting.path), setting.value
            setting_line(setting)

            def put(device: Expressway, words: list[str] = words, value: str = value) -> None:
                device.write(words, value)

            await self._exchange(f"xConfiguration {setting.path}", put)

    async def run(self, command: Command) -> Node:
        """Run a command; its results as children of the returned node."""
        command_line(command)
        return await self._exchange(
            f"xCommand {command.name}",
            lambda device: _answer(
                device, commands.run(device, command.name, dict(command.parameters))
            ),
        )

    async def perform(self, operation: Operation[R]) -> R:
        """Carry out an operation through the web pages or the root shell."""
        if operation.capability not in self.capabilities:
            raise NotSupported(f"mock: {operation.capability} needs the option root=true")
        handler = _OPERATIONS.get(type(operation))
        if handler is None:
            raise NotSupported(f"mock: {type(operation).__name__} is not known")
        return cast("R", await handler(self, operation))

    async def close(self) -> None:
        """End the session."""
        if self._session is not None:
            device, number = self._session
            device.close_session(number)
            self._session = None

    # Sessions and exchanges

    async def _device(self) -> Expressway:
        """The appliance, logged in. Raises Unreachable, Banned, AuthenticationFailed, Busy."""
        device = self._fleet.at(self._endpoint.host)
        if device is None or not device.up or not self._fleet.serves(device):
            self._session = None
            raise Unreachable(f"{self._endpoint.host} does not answer")
        if self._session is not None and self._session[0] is device and not self._lost.is_set():
            return device
        if self._declined:
            raise AuthenticationFailed("the same password is not tried a second time")
        await self._fleet.clock.sleep(device.profile.reply)
        outcome = device.log_in(
            self._endpoint.username, self._endpoint.password, client=self._client,
            category="ssh-auth" if self._endpoint.username == "admin" else "web-auth",
        )  # fmt: skip
        if outcome is Login.BANNED:
            raise Banned(f"{self._endpoint.host} has blocked our address")
        if outcome is Login.WRONG:
            self._declined = True
            raise AuthenticationFailed(f"{self._endpoint.host} declined the log-in")
        self._lost = asyncio.Event()
        try:
            self._session = (device, device.open_session(self._lost.set))
        except DeviceRefusal as refusal:
            raise Busy(refusal.description) from None
        return device

    async def _exchange(self, occasion: str, act: Callable[[Expressway], T]) -> T:
        async def later(device: Expressway) -> T:
            return act(device)

        return await self._dialogue(occasion, later)

    async def _dialogue(self, occasion: str, act: Callable[[Expressway], Awaitable[T]]) -> T:
        """One request and its answer, with everything that may go wrong in between."""
        async with self._lock:
            device = await self._device()
            strike, name = self._fleet.faults.strike, device.name
            if strike(FaultKind.DROP_BEFORE, name, occasion):
                self._drop(device)
            if fault := strike(FaultKind.DELAY, name, occasion):
                await self._delayed(device, fault.value)
            await self._fleet.clock.sleep(device.profile.reply)
            self._still_there(device)
            if strike(FaultKind.WRONG_ANSWER, name, occasion):
                raise CommandRejected(
                    f"{device.profile.unknown_command}",
                    description=device.profile.unknown_command,
                )
            try:
                answer = await self._until_lost(act(device))
            except DeviceRefusal as refusal:
                raise CommandRejected(
                    refusal.description,
                    cause=str(refusal.cause),
                    description=refusal.description,
                ) from None
            except ConnectionResetError:
                raise ConnectionLost(f"{self._endpoint.host} went away") from None
            cut = strike(FaultKind.DROP_AT_BYTE, name, occasion)
            if strike(FaultKind.DROP_AFTER, name, occasion) or cut:
                self._drop(device)
            self._still_there(device)
            return answer

    async def _until_lost(self, work: Awaitable[T]) -> T:
        """The work's result, or ConnectionLost as soon as the appliance goes down."""
        task = asyncio.ensure_future(work)
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({task, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ConnectionLost(f"{self._endpoint.host} went away")
            return task.result()
        finally:
            lost.cancel()
            if not task.done():
                task.cancel()
            await asyncio.gather(task, lost, return_exceptions=True)

    async def _delayed(self, device: Expressway, seconds: float) -> None:
        limit = self._endpoint.limits.reply
        await self._fleet.clock.sleep(min(seconds, limit))
        if seconds >= limit:
            self._drop_session(device)
            raise ReplyTimeout(f"{self._endpoint.host} did not answer within {limit:.0f} s")

    def _still_there(self, device: Expressway) -> None:
        if self._lost.is_set() or not self._fleet.serves(device):
            self._session = None
            raise ConnectionLost(f"{self._endpoint.host} went away")

    def _drop(self, device: Expressway) -> None:
        self._drop_session(device)
        raise ConnectionLost(f"{self._endpoint.host} closed the connection")

    def _drop_session(self, device: Expressway) -> None:
        if self._session is not None:
            device.close_session(self._session[1])
            self._session = None

    # Operations

    async def _web(
        self,
        occasion: str,
        act: Callable[[WebInterface], T] | Callable[[WebInterface], Awaitable[T]],
    ) -> T:
        async def visit(device: Expressway) -> T:
            if not device.web_up:
                raise Unreachable(f"{self._endpoint.host}: the web interface does not answer yet")
            result = act(WebInterface(device))
            return await result if asyncio.iscoroutine(result) else cast("T", result)

        return await self._dialogue(f"web {occasion}", visit)

    async def _set_key(self, operation: base.SetPreSharedKey) -> None:
        await self._web("clustering", lambda web: web.set_pre_shared_key(operation.key))

    async def _clustering(self, _: base.ReadClusteringPage) -> base.ClusteringPage:
        form = await self._web("clustering", lambda web: web.read_clustering())
        filled = [(n, peer) for n, peer in enumerate(form.peers, start=1) if peer]
        return base.ClusteringPage(
            cluster_name=form.cluster_name,
            configuration_master=form.master if filled else None,
            pre_shared_key_set=form.key_set,
            peers=tuple(base.PeerField(n, peer, form.statuses[n - 1]) for n, peer in filled),
            database_status=form.database_status,
        )

    async def _time(self, _: base.ReadTimeState) -> str:
        return await self._web("time", lambda web: web.time_state())

    async def _restart(self, _: base.RestartSystem) -> None:
        await self._web("restart", lambda web: web.restart())

    async def _login(self, _: base.CheckWebLogin) -> bool:
        async def look(device: Expressway) -> bool:
            return device.web_up

        return await self._dialogue("web login", look)

    async def _backup(self, operation: base.CreateBackup) -> base.BackupReceipt:
        made = await self._web("backup", lambda web: web.create_backup(operation.password))
        digest = hashlib.sha256()
        for start in range(0, len(made.data), _UPLOADED):
            piece = made.data[start : start + _UPLOADED]
            digest.update(piece)
            await operation.write(piece)
        return base.BackupReceipt(made.file_name, len(made.data), digest.hexdigest())

    async def _restore(self, operation: base.RestoreBackup) -> None:
        data = await _collect(operation.read)
        await self._web("restore", lambda web: web.restore(data, operation.password))

    async def _install(self, operation: base.InstallSoftware) -> None:
        data = await _collect(operation.read)
        await self._web("upgrade", lambda web: web.install(data))

    async def _accounts(self, _: base.ReadAdminAccounts) -> tuple[str, ...]:
        return tuple(await self._web("accounts", lambda web: web.admin_accounts()))

    async def _delete_account(self, operation: base.DeleteAdminAccount) -> None:
        await self._web("accounts", lambda web: web.delete_admin_account(operation.name))

    async def _read_lync(self, _: base.ReadLyncB2bua) -> bool:
        return await self._web("lync", lambda web: web.lync_b2bua())

    async def _set_lync(self, operation: base.SetLyncB2bua) -> None:
        await self._web("lync", lambda web: web.set_lync_b2bua(operation.enabled))

    async def _ping(self, operation: base.PingFromPeer) -> float | None:
        return await self._exchange(
            "xCommand Ping", lambda device: commands.ping(device, operation.address)
        )

    async def _factory_reset(self, operation: base.FactoryReset) -> None:
        kept = {
            "option-keys": operation.keep_option_keys,
            "ip": operation.keep_ip_configuration,
            "passwords": operation.keep_passwords,
        }

        def reset(device: Expressway) -> None:
            _root_of(device)
            device.factory_reset(keep=frozenset(name for name, keep in kept.items() if keep))

        try:
            await self._exchange("factory-reset", reset)
        except ConnectionLost:
            # The session is lost once the last question is answered (guide p.21): that is success.
            device = self._fleet.at(self._endpoint.host)
            if device is None or device.up:
                raise

    async def _purge(self, operation: base.PurgeClusterDatabase) -> None:
        if not operation.support_case.strip():
            raise InvalidRequest("purging the cluster database needs a support case")

        def purge(device: Expressway) -> None:
            _root_of(device)
            device.purge_cluster_database()

        await self._exchange("clusterdb_destroy_and_purge_data.sh", purge)


_Handler = Callable[[MockTransport, Operation[object]], Awaitable[object]]
_OPERATIONS = cast(
    "dict[type[object], _Handler]",
    {
        base.SetPreSharedKey: MockTransport._set_key,
        base.ReadClusteringPage: MockTransport._clustering,
        base.ReadTimeState: MockTransport._time,
        base.RestartSystem: MockTransport._restart,
        base.CheckWebLogin: MockTransport._login,
        base.CreateBackup: MockTransport._backup,
        base.RestoreBackup: MockTransport._restore,
        base.InstallSoftware: MockTransport._install,
        base.ReadAdminAccounts: MockTransport._accounts,
        base.DeleteAdminAccount: MockTransport._delete_account,
        base.ReadLyncB2bua: MockTransport._read_lync,
        base.SetLyncB2bua: MockTransport._set_lync,
        base.PingFromPeer: MockTransport._ping,
        base.FactoryReset: MockTransport._factory_reset,
        base.PurgeClusterDatabase: MockTransport._purge,
    },
)


def _words(path: Path) -> list[str]:
    return str(path).split()


def _answer(device: Expressway, node: Node) -> Node:
    for _, value in node.leaves():
        device.sent(value)
    return node


def _root_of(device: Expressway) -> None:
    if not device.accounts.root_ssh:
        raise NotSupported(f"{device.name} does not grant root over SSH")


async def _collect(read: Callable[[], object]) -> bytes:
    data = bytearray()
    async for piece in read():  # type: ignore[attr-defined]  # an async iterator of bytes
        data += piece
        if len(data) > _MAX_UPLOAD:
            raise InvalidRequest("the file is larger than an appliance takes")
    return bytes(data)
