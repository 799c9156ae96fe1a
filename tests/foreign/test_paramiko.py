"""Paramiko at the fleet: an SSH library that many scripts use and that shares no code with ours."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import paramiko
import pytest

from transports.mock import Expressway
from transports.mock.scenario import REHEARSAL_PASSWORD, ROOT_PASSWORD
from transports.mock.ssh_server import SshServer

T = TypeVar("T")
LIMIT = 20.0
pytestmark = pytest.mark.sockets


@contextmanager
def client(server: SshServer, user: str) -> Iterator[paramiko.SSHClient]:
    """Logged in, with the one host key pinned."""
    kind, key = server.host_key.split()[:2]
    made = paramiko.SSHClient()
    known = paramiko.PKey.from_type_string(kind, base64.b64decode(key))
    made.get_host_keys().add(f"[{server.host}]:{server.port}", kind, known)
    try:
        made.connect(
            server.host,
            server.port,
            username=user,
            password=ROOT_PASSWORD if user == "root" else REHEARSAL_PASSWORD,
            allow_agent=False,
            look_for_keys=False,
            timeout=LIMIT,
        )
        yield made
    finally:
        made.close()


def read_until(channel: paramiko.Channel, pattern: str) -> str:
    text, give_up = "", time.monotonic() + LIMIT
    channel.settimeout(LIMIT)
    while re.search(pattern, text) is None:
        assert time.monotonic() < give_up, text
        piece = channel.recv(65536)
        assert piece, text
        text += piece.decode()
    return text


async def in_thread(call: Callable[[], T]) -> T:
    async with asyncio.timeout(2 * LIMIT):
        return await asyncio.to_thread(call)


async def test_an_interactive_shell_reads_and_writes(ssh: SshServer, device: Expressway):
    def talk() -> tuple[str, str, str]:
        with client(ssh, "admin") as one:
            channel = one.invoke_shell()
            banner = read_until(channel, r"OK\r\n")
            channel.sendall(b"xStatus Alternates\n")
            status = read_until(channel, r"\*s/end[\r\n]+OK\r\n")
            channel.sendall(b"xConfiguration SystemUnit Name: front\n")
            written = read_until(channel, r"front\r\n(\r\n)?OK\r\n")
            return banner, status, written

    banner, status, written = await in_thread(talk)
    assert f"TANDBERG Video Communication Server {device.version}" in banner
    assert status.startswith("xStatus Alternates\r\n*s Alternates: /\r\n")
    assert written.startswith("xConfiguration SystemUnit Name: front\r\n")
    assert device.configuration.get("SystemUnit Name") == "front"


async def test_admin_may_not_execute_and_not_fetch_files(ssh: SshServer):
    def attempt() -> None:
        with client(ssh, "admin") as one:
            with pytest.raises(paramiko.SSHException):
                one.exec_command("xStatus SystemUnit", timeout=LIMIT)
            with pytest.raises(paramiko.SSHException):
                one.open_sftp()

    await in_thread(attempt)


async def test_root_executes_by_way_of_tsh(ssh: SshServer, device: Expressway):
    def execute() -> tuple[str, int]:
        with client(ssh, "root") as one:
            _, out, _ = one.exec_command("echo 'xStatus SystemUnit' | tsh", timeout=LIMIT)
            return out.read().decode(), out.channel.recv_exit_status()

    text, status = await in_thread(execute)
    assert status == 0
    assert text.startswith("*s SystemUnit: /\n")
    assert device.serial in text


async def test_root_puts_a_file_where_the_upgrade_wants_it(ssh: SshServer):
    def put() -> list[str]:
        with client(ssh, "root") as one, one.open_sftp() as files:
            with files.open("/tmp/x.part", "wb") as part:
                part.write(b"image")
            return files.listdir("/tmp")

    assert await in_thread(put) == ["x.part"]
