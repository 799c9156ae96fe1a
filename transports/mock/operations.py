"""The operations of the in-process transport: each through the page or shell that has it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from transports import base
from transports.errors import ConnectionLost, InvalidRequest, NotSupported
from transports.mock import commands
from transports.mock.connection import Connection
from transports.mock.expressway import Expressway

_MAX_UPLOAD = 256 * 1024 * 1024
_PIECE = 64 * 1024


async def _set_key(connection: Connection, operation: base.SetPreSharedKey) -> None:
    await connection.page("clustering", lambda web: web.set_pre_shared_key(operation.key))


async def _clustering(connection: Connection, _: base.ReadClusteringPage) -> base.ClusteringPage:
    form = await connection.page("clustering", lambda web: web.read_clustering())
    filled = [(n, peer) for n, peer in enumerate(form.peers, start=1) if peer]
    return base.ClusteringPage(
        cluster_name=form.cluster_name,
        configuration_master=form.master if filled else None,
        pre_shared_key_set=form.key_set,
        peers=tuple(base.PeerField(n, peer, form.statuses[n - 1]) for n, peer in filled),
        database_status=form.database_status,
    )


async def _time(connection: Connection, _: base.ReadTimeState) -> str:
    return await connection.page("time", lambda web: web.time_state())


async def _restart(connection: Connection, _: base.RestartSystem) -> None:
    await connection.page("restart", lambda web: web.restart())


async def _login(connection: Connection, _: base.CheckWebLogin) -> bool:
    return await connection.exchange("web login", lambda device: device.web_up)


async def _backup(connection: Connection, operation: base.CreateBackup) -> base.BackupReceipt:
    made = await connection.web("backup", lambda web: web.create_backup(operation.password))
    digest = hashlib.sha256()
    for start in range(0, len(made.data), _PIECE):
        piece = made.data[start : start + _PIECE]
        digest.update(piece)
        await operation.write(piece)
    return base.BackupReceipt(made.file_name, len(made.data), digest.hexdigest())


async def _restore(connection: Connection, operation: base.RestoreBackup) -> None:
    data = await _collect(operation.read)
    await connection.web("restore", lambda web: web.restore(data, operation.password))


async def _install(connection: Connection, operation: base.InstallSoftware) -> None:
    data = await _collect(operation.read)
    await connection.web("upgrade", lambda web: web.install(data))


async def _accounts(connection: Connection, _: base.ReadAdminAccounts) -> tuple[str, ...]:
    return tuple(await connection.page("accounts", lambda web: web.admin_accounts()))


async def _delete_account(connection: Connection, operation: base.DeleteAdminAccount) -> None:
    await connection.page("accounts", lambda web: web.delete_admin_account(operation.name))


async def _read_lync(connection: Connection, _: base.ReadLyncB2bua) -> bool:
    return await connection.page("lync", lambda web: web.lync_b2bua())


async def _set_lync(connection: Connection, operation: base.SetLyncB2bua) -> None:
    await connection.page("lync", lambda web: web.set_lync_b2bua(operation.enabled))


async def _ping(connection: Connection, operation: base.PingFromPeer) -> float | None:
    return await connection.exchange(
        "xCommand Ping", lambda device: commands.ping(device, operation.address)
    )


async def _factory_reset(connection: Connection, operation: base.FactoryReset) -> None:
    kept = {
        "option-keys": operation.keep_option_keys,
        "ip": operation.keep_ip_configuration,
        "passwords": operation.keep_passwords,
    }

    def reset(device: Expressway) -> None:
        _root_of(connection, device)
        device.factory_reset(keep=frozenset(name for name, keep in kept.items() if keep))

    try:
        await connection.exchange("factory-reset", reset)
    except ConnectionLost:
        # The session is lost once the last question is answered (guide p.21): that is success.
        if not connection.down():
            raise


async def _purge(connection: Connection, operation: base.PurgeClusterDatabase) -> None:
    if not operation.support_case.strip():
        raise InvalidRequest("purging the cluster database needs a support case")

    def purge(device: Expressway) -> None:
        _root_of(connection, device)
        device.purge_cluster_database()

    await connection.exchange("clusterdb_destroy_and_purge_data.sh", purge)


def _root_of(connection: Connection, device: Expressway) -> None:
    if not device.accounts.root_ssh:
        raise NotSupported(f"{device.name} does not grant root over SSH")
    connection.log_in_as_root(device)


async def _collect(read: Callable[[], AsyncIterator[bytes]]) -> bytes:
    data = bytearray()
    async for piece in read():
        data += piece
        if len(data) > _MAX_UPLOAD:
            raise InvalidRequest("the file is larger than an appliance takes")
    return bytes(data)


OPERATIONS: dict[type[base.AnyOperation], Callable[[Connection, Any], Awaitable[Any]]] = {
    base.SetPreSharedKey: _set_key,
    base.ReadClusteringPage: _clustering,
    base.ReadTimeState: _time,
    base.RestartSystem: _restart,
    base.CheckWebLogin: _login,
    base.CreateBackup: _backup,
    base.RestoreBackup: _restore,
    base.InstallSoftware: _install,
    base.ReadAdminAccounts: _accounts,
    base.DeleteAdminAccount: _delete_account,
    base.ReadLyncB2bua: _read_lync,
    base.SetLyncB2bua: _set_lync,
    base.PingFromPeer: _ping,
    base.FactoryReset: _factory_reset,
    base.PurgeClusterDatabase: _purge,
}
