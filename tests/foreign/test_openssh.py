"""The plain OpenSSH client at the fleet: a terminal for `admin`, commands for `root` alone.

Runs where there is an `ssh` program; `test_paramiko.py` asks the same of another client everywhere.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from transports.mock import Expressway
from transports.mock.scenario import REHEARSAL_PASSWORD, ROOT_PASSWORD
from transports.mock.ssh_server import SshServer

SSH = shutil.which("ssh") or ""
LIMIT = 30.0
PASSWORDS = {"admin": REHEARSAL_PASSWORD, "root": ROOT_PASSWORD}
pytestmark = [pytest.mark.sockets, pytest.mark.skipif(not SSH, reason="no ssh program here")]

Ssh = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def run_ssh(ssh: SshServer, tmp_path: Path) -> Ssh:
    """Runs `ssh user@appliance words...`: exit status, output with plain line ends, errors."""
    known = tmp_path / "known_hosts"
    known.write_text(f"[{ssh.host}]:{ssh.port} {ssh.host_key}\n")
    asked = tmp_path / "askpass"

    async def run(
        user: str, *words: str, typed: str = "", terminal: bool = False, password: str = ""
    ) -> tuple[int, str, str]:
        asked.write_text(f"#!/bin/sh\necho '{password or PASSWORDS[user]}'\n")
        asked.chmod(0o700)
        options = (
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={known}",
            "GlobalKnownHostsFile=none",
            "PubkeyAuthentication=no",
            "NumberOfPasswordPrompts=1",
        )
        process = await asyncio.create_subprocess_exec(
            *(SSH, "-F", "none", "-p", str(ssh.port), *(["-tt"] if terminal else [])),
            *(part for option in options for part in ("-o", option)),
            *(f"{user}@{ssh.host}", *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": os.environ.get("PATH", ""),
                "SSH_ASKPASS": str(asked),
                "SSH_ASKPASS_REQUIRE": "force",
                "DISPLAY": "none:0",
            },
        )
        try:
            async with asyncio.timeout(LIMIT):
                out, err = await process.communicate(typed.encode())
        except BaseException:
            process.kill()
            await process.wait()
            raise
        text = out.decode().replace("\r\n", "\n")
        return process.returncode or 0, text, err.decode()

    return run


async def test_a_terminal_shows_banner_echo_and_answers(run_ssh: Ssh, device: Expressway):
    typed = "xStatus SystemUnit\nxConfiguration Alternates Cluster Name\nexit\n"
    status, text, _ = await run_ssh("admin", typed=typed, terminal=True)
    assert status == 0
    # The expression is that of a scanner in the field (device facts 1.1, 1.5).
    version = re.search(r"TANDBERG Video Communication Server X([0-9.]+[^\r\n]+)", text)
    assert version is not None
    assert version[0].endswith(device.version)
    assert "\nxStatus SystemUnit\n" in text, "a terminal echoes"
    assert "\n*s SystemUnit: /\n" in text
    assert re.search(r"\*s/end[\r\n]+OK", text)
    assert '*c xConfiguration Alternates Cluster Name: "cluster1.example.com"\n' in text


async def test_what_is_written_by_hand_is_written(run_ssh: Ssh, device: Expressway):
    typed = 'xConfiguration SystemUnit Name: "front door"\nexit\n'
    assert (await run_ssh("admin", typed=typed, terminal=True))[0] == 0
    assert device.configuration.get("SystemUnit Name") == "front door"


async def test_admin_has_no_commands_beside_the_terminal(run_ssh: Ssh):
    status, text, words = await run_ssh("admin", "xStatus SystemUnit")
    assert status == 255
    assert text == ""
    assert "exec request failed" in words


async def test_root_pipes_a_command_into_tsh(run_ssh: Ssh, device: Expressway):
    status, text, _ = await run_ssh("root", "echo 'xStatus SystemUnit' | tsh")
    assert status == 0
    assert text.startswith("*s SystemUnit: /\n")
    assert f'SerialNumber: "{device.serial}"' in text
    assert text.endswith("*s/end\n\nOK\n")


async def test_root_has_a_shell_that_knows_its_limits(run_ssh: Ssh):
    status, text, _ = await run_ssh("root", typed="uname -a\nexit\n", terminal=True)
    assert "~ # " in text
    assert "uname: not found" in text
    assert (await run_ssh("root", "uname", "-a"))[0] == 127
    assert status == 127


async def test_a_wrong_password_is_denied_and_counted(run_ssh: Ssh, device: Expressway):
    status, text, words = await run_ssh("admin", typed="exit\n", terminal=True, password="wrong")
    assert (status, text) == (255, "")
    assert "Permission denied" in words
    assert device.protection.categories["ssh-auth"].total_fails == 1
