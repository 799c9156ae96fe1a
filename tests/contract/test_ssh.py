"""The SSH transport passes the suite of every transport, over real sockets."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncssh
import pytest

from transports import ssh
from transports.base import (
    Capability,
    Endpoint,
    FactoryReset,
    InstallSoftware,
    PurgeClusterDatabase,
    Transport,
)
from transports.contract import Access, Reach, Rig, TransportContract
from transports.mock import Expressway, Fleet, Power
from transports.mock.scenario import ROOT_PASSWORD
from transports.mock.ssh_server import serve_ssh
from transports.mock.web import image
from transports.trust import HostKeyPin

pytestmark = pytest.mark.sockets

OTHER_KEY = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()


class OverSsh(TransportContract):
    rate = 500.0
    tells_round_trip = sys.platform == "linux"
    options = {"quiet_time": "0.05", "poll_time": "0.02"}  # noqa: RUF012  # never changed

    @asynccontextmanager
    async def reaching(self, fleet: Fleet) -> AsyncIterator[Reach]:
        async with AsyncExitStack() as stack:
            servers = {}
            for device in fleet:
                servers[device.name] = await serve_ssh(device)
                stack.push_async_callback(servers[device.name].close)

            def reach(device: Expressway, access: Access) -> Transport:
                server = servers[device.name]
                key = OTHER_KEY if access.other_identity else server.host_key
                password = device.accounts.admin_password
                return ssh.create(
                    Endpoint(
                        host="127.0.0.1",
                        port=server.port,
                        username="admin",
                        password="wrong" if access.wrong_password else password,
                        root_password="wrong" if access.wrong_password else ROOT_PASSWORD,
                        trust=HostKeyPin(" ".join(key.split()[:2])),
                        options=self.options,
                        limits=access.limits,
                    )
                )

            yield reach


class TestSsh(OverSsh):
    """As the appliance is taken to be: echo, no prompt."""


class TestSshWithPromptAndWithoutEcho(OverSsh):
    def scenario(self) -> dict[str, Any]:
        return {**super().scenario(), "profile": {"prompt": "exp> ", "echo": False}}


class TestSshWithOtherWords(OverSsh):
    """Line ends, prompt and error words that are as likely as the default ones."""

    def scenario(self) -> dict[str, Any]:
        profile = {
            "prompt": "> ",
            "line_end": "\n",
            "unknown_command": "Unknown command",
            "unknown_command_ok": True,
            "banner": "TANDBERG Video Communication Server {version}\n\nError: alarm 40003\n",
        }
        return {**super().scenario(), "profile": profile}


class TestSshWithRoot(OverSsh):
    options = {"quiet_time": "0.05", "poll_time": "0.02", "root": "true"}  # noqa: RUF012  # as above

    async def test_root_adds_its_operations(self, rig: Rig) -> None:
        assert rig.transport().capabilities >= {Capability.BACKUP, Capability.FACTORY_RESET}

    async def test_a_backup_stored_on_the_appliance_is_fetched(self, rig: Rig) -> None:
        rig.device.profile = replace(rig.device.profile, root_backup_prints_archive=False)
        await self.test_a_backup_is_handed_over_whole(rig)

    async def test_new_software_is_used_after_the_next_reboot(self, rig: Rig) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield image("X8.2.2")

        await rig.transport().perform(InstallSoftware("s42700x8_2_2.tar.gz", pieces))
        assert rig.device.pending_version == "X8.2.2"

    async def test_a_factory_reset_begins_and_the_appliance_is_gone(self, rig: Rig) -> None:
        await rig.transport().perform(
            FactoryReset(
                keep_option_keys=True,
                keep_ip_configuration=True,
                keep_ssh_keys=True,
                keep_passwords=True,
                save_log_files=True,
                replace_hard_disk=False,
            )
        )
        async with asyncio.timeout(5):
            while rig.device.power is Power.ON:  # noqa: ASYNC110  # it gives no sign
                await asyncio.sleep(0.005)
        assert rig.device.power is Power.RESETTING

    async def test_the_cluster_database_is_purged(self, rig: Rig) -> None:
        await rig.transport().perform(PurgeClusterDatabase("SR 1"))


class TestSshThroughTheRootShell(OverSsh):
    """The command line as a program of the root shell; nobody logs in as `admin`."""

    options = {"root": "true", "tsh": "tsh"}  # noqa: RUF012  # as above
    tells_round_trip = False  # there is no connection that is kept
