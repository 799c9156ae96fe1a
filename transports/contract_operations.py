"""One example of every operation: what a transport without the capability has to decline.

Beside `transports.contract`, which uses it, so that a new operation is added in one obvious place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from transports import base
from transports.base import AnyOperation


def one_of_each() -> tuple[AnyOperation, ...]:
    """A harmless example of every operation that `transports.base` has."""

    async def write(piece: bytes) -> None:
        del piece

    async def read() -> AsyncIterator[bytes]:
        yield b""

    return (
        base.SetPreSharedKey("k"),
        base.CreateBackup(write),
        base.RestoreBackup("b.tar.gz", read),
        base.ReadClusteringPage(),
        base.ReadTimeState(),
        base.RestartSystem(),
        base.CheckWebLogin(),
        base.InstallSoftware("image.tar.gz", read),
        base.FactoryReset(
            keep_option_keys=True,
            keep_ip_configuration=True,
            keep_ssh_keys=True,
            keep_passwords=True,
            save_log_files=True,
            replace_hard_disk=False,
        ),
        base.PurgeClusterDatabase("case 1"),
        base.ReadAdminAccounts(),
        base.DeleteAdminAccount("nobody"),
        base.ReadLyncB2bua(),
        base.SetLyncB2bua(enabled=False),
        base.PingFromPeer("192.0.2.12"),
    )
