"""The SSH side, tried with a plain client over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncssh
import pytest

from transports.mock import Fault, FaultKind, Power
from transports.mock.scenario import REHEARSAL_PASSWORD, ROOT_PASSWORD
from transports.mock.ssh_admin import LineReader
from transports.mock.ssh_server import SshServer, serve_ssh
from transports.mock.web import image

pytestmark = pytest.mark.sockets
_LIMIT = 5.0


@asynccontextmanager
async def served(lab, **scenario) -> AsyncIterator[tuple[object, SshServer]]:
    device = {"name": "exp1", "address": "192.0.2.11", "root": True, **scenario.pop("device", {})}
    one = lab(rate=1000.0, expressways=[device], **scenario)
    server = await serve_ssh(one["exp1"])
    try:
        yield one, server
    finally:
        await server.close()


async def connect(server: SshServer, username: str = "admin", password: str = ""):
    key = asyncssh.import_public_key(server.host_key)
    given = password or (ROOT_PASSWORD if username == "root" else REHEARSAL_PASSWORD)
    return await asyncssh.connect(
        server.host, server.port, username=username, password=given, known_hosts=([key], [], []),
        config=None, agent_path=None, client_keys=None,
    )  # fmt: skip


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(_LIMIT):
        while not true():  # noqa: ASYNC110 - the fleet's state has no event to wait for
            await asyncio.sleep(0.005)


class Terminal:
    def __init__(self, process) -> None:
        self.process = process
        self.heard = ""
        """What came since the last line was typed."""

    async def until(self, end: str) -> str:
        self.heard = ""
        async with asyncio.timeout(_LIMIT):
            while not self.heard.endswith(end):
                piece = await self.process.stdout.read(4096)
                if not piece:
                    raise EOFError(self.heard)
                self.heard += piece
        return self.heard

    async def say(self, line: str, end: str) -> str:
        self.process.stdin.write(line + "\n")
        return await self.until(end)


@asynccontextmanager
async def terminal(server: SshServer, banner_end: str = "OK\r\n") -> AsyncIterator[Terminal]:
    async with await connect(server) as connection:
        one = Terminal(await connection.create_process(term_type="dumb"))
        await one.until(banner_end)
        yield one


async def test_a_terminal_echoes_and_answers_in_the_recorded_shape(lab):
    async with served(lab) as (_, server), terminal(server) as tty:
        text = await tty.say("xStatus SystemUnit Hardware", "OK\r\n")
    assert text == (
        "xStatus SystemUnit Hardware\r\n"
        "*s SystemUnit: /\r\n"
        "  Hardware: /\r\n"
        '    Version: "VMware"\r\n'
        '    SerialNumber: "017DB2D0"\r\n'
        "*s/end\r\n\r\nOK\r\n"
    )


async def test_prompt_echo_and_banner_are_settings(lab):
    profile = {"prompt": "> ", "echo": False, "banner": "Hello {version}", "banner_ok": False}
    async with served(lab, profile=profile) as (_, server), terminal(server, "> ") as tty:
        assert await tty.say("xCommand DefaultLinksAdd", "> ") == (
            "*r Result (status=OK):\r\n*r/end\r\n\r\nOK\r\n> "
        )


async def test_admin_has_no_command_channel_and_no_files(lab):
    async with served(lab) as (_, server), await connect(server) as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.run("xStatus")
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.create_process()
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.start_sftp_client()
        assert (await connection.create_process(term_type="dumb")).stdin is not None


def test_lines_end_at_either_line_end_and_never_grow_without_bound():
    reader = LineReader(10)
    assert reader.feed(b"one\r\ntwo\nthr\x7fee\rfo") == ["one", "two", "thee"]
    assert reader.feed(b"ur\n\n") == ["four", ""]
    assert len(reader.feed(b"x" * 1000 + b"\n")[0]) == 11


async def test_an_oversized_line_is_refused_and_the_session_goes_on(lab):
    async with served(lab) as (_, server), terminal(server) as tty:
        text = await tty.say("xCommand Boot " + "x" * 100_000, "Command not recognized.\r\n")
        assert text.endswith("\r\nCommand not recognized.\r\n")
        assert (await tty.say("xConfiguration SystemUnit Name", "OK\r\n")).count("exp1") == 1


async def test_a_restart_drops_the_connection_and_the_port_refuses_until_it_is_back(lab):
    async with served(lab) as (one, server):
        async with terminal(server) as tty:
            assert "OK" in await tty.say("xCommand Boot", "OK\r\n")
            with pytest.raises((asyncssh.Error, EOFError, OSError)):
                await tty.until("never")
        assert one["exp1"].power is Power.RESTARTING
        with pytest.raises(ConnectionRefusedError):
            await connect(server)
        await until(lambda: one["exp1"].up)
        await asyncio.sleep(0.02)
        async with terminal(server) as tty:
            assert "Uptime" in await tty.say("xStatus SystemUnit Uptime", "OK\r\n")


async def test_wrong_passwords_ban_the_client(lab):
    # A slower clock: a ban of an hour shall not be over while we look.
    async with served(lab, profile={"ban_seconds": 1e9}) as (one, server):
        for _ in range(5):
            with pytest.raises(asyncssh.PermissionDenied):
                await connect(server, password="Wrong-1")
        with pytest.raises((ConnectionResetError, asyncssh.ConnectionLost)):
            await connect(server)
        category = one["exp1"].protection.categories["ssh-auth"]
        assert (category.total_fails, category.total_bans) == (5, 1)


async def test_root_is_refused_where_it_is_not_granted(lab):
    async with served(lab, device={"root": False}) as (_, server):
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(server, "root")


async def test_root_pipes_into_the_command_line_and_makes_backups(lab):
    async with served(lab) as (one, server), await connect(server, "root") as root:
        text = (await root.run("echo 'xCommand DefaultLinksAdd' | tsh")).stdout
        assert text == "*r Result (status=OK):\n*r/end\n\nOK\n"
        made = await root.run("/sbin/backup.sh", input=b"\n", encoding=None)
        assert made.exit_status == 0
        assert made.stdout == one["exp1"].backups[0].data
        assert (await root.run("reboot now")).exit_status == 127


async def test_an_image_renamed_into_place_is_installed(lab):
    async with served(lab) as (one, server), await connect(server, "root") as root:
        async with root.start_sftp_client() as files:
            async with files.open("/tmp/x.part", "wb") as part:
                await part.write(image("X8.2.1"))
            assert await files.listdir("/") == [".", "..", "tmp"]
        await root.run("mv /tmp/x.part /tmp/tandberg-image.tar.gz", check=True)
        await until(lambda: one["exp1"].pending_version != "")
        assert "install-ok" in (await root.run("ls -l /tmp/install*")).stdout
        assert one["exp1"].pending_version == "X8.2.1"
        assert one["exp1"].version == "X8.2"


async def test_a_factory_reset_asks_seven_questions_and_stops_at_no(lab):
    async with served(lab) as (one, server), await connect(server, "root") as root:
        for last, status in (("NO", 1), ("perhaps", 1), ("YES", 0)):
            answers = "\n".join(["YES", "YES", "NO", "YES", "NO", "NO", last, ""])
            done = await root.run("factory-reset", input=answers, term_type="dumb")
            assert done.stdout.count("[YES/NO]?") == 7
            assert done.exit_status == status
            assert one["exp1"].power is Power.ON or status == 0
        await until(lambda: one["exp1"].power is Power.RESETTING)


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
async def test_faults_strike_on_the_wire(lab, kind):
    async with served(lab) as (one, server):
        one.fleet.faults.add(Fault(kind, "exp1", "SystemUnit Name"))
        async with terminal(server) as tty:
            with pytest.raises((asyncssh.Error, EOFError, OSError)):
                await tty.say("xConfiguration SystemUnit Name: new", "OK\r\n")
        kept = "exp1" if kind is FaultKind.DROP_BEFORE else "new"
        assert one["exp1"].configuration.get("SystemUnit Name") == kept


async def test_a_connection_can_die_at_any_byte_of_an_answer(lab):
    async with served(lab, profile={"echo": False}) as (one, server):
        one.fleet.faults.add(Fault(FaultKind.DROP_AT_BYTE, "exp1", "Hardware", value=17))
        async with terminal(server) as tty:
            with pytest.raises((asyncssh.Error, EOFError, OSError)) as died:
                await tty.say("xStatus SystemUnit Hardware", "OK\r\n")
            assert tty.heard == "*s SystemUnit: /\r", died


async def test_a_replaced_appliance_shows_another_host_key(lab):
    async with served(lab) as (_, server):
        before = server.host_key
        server.change_host_key()
        await asyncio.sleep(0.02)
        assert server.host_key != before
        async with terminal(server) as tty:
            assert await tty.say("xStatus Calls", "OK\r\n")


async def test_nothing_the_wire_carried_held_a_secret(lab):
    async with served(lab) as (one, server), terminal(server) as tty:
        await tty.say("xConfiguration", "\n\r\nOK\r\n")
        await tty.say("xStatus", "\n\r\nOK\r\n")
        assert one.witness.violations == []
