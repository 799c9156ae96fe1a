"""Writes, commands and reads: what a reply means, against a server that says anything."""

from __future__ import annotations

import pytest

from tests.unit.ssh.hostile_server import Process, saying, serving, transport_to
from transports import errors
from transports.command import Command, Setting
from transports.document import Path

pytestmark = pytest.mark.sockets

ALTERNATES = Path.parse("Alternates")
NAME = Path.parse("SystemUnit Name")


async def test_a_write_is_over_when_ok_is_followed_by_silence():
    async with serving(saying("\r\nOK\r\n"), prompt=b"> ") as server:
        transport = transport_to(server)
        await transport.write([Setting(NAME, "exp 1"), Setting.of("H323 Mode", "On")])
        assert server.lines_seen == [
            'xConfiguration SystemUnit Name: "exp 1"',
            "xConfiguration H323 Mode: On",
        ]
        await transport.close()


@pytest.mark.parametrize(
    "text",
    [
        "Command not recognized.\r\n",
        'Error: value "s3cretvalue" is out of range\r\nOK\r\n',
        "Invalid value\r\n\r\n",
        '*r Result (status=Error):\r\n  Cause: 3\r\n  Description: "s3cretvalue"\r\n*r/end\r\n',
    ],
)
async def test_a_refusal_is_told_without_the_value_that_was_sent(text):
    async with serving(saying(text)) as server:
        transport = transport_to(server)
        with pytest.raises(errors.CommandRejected) as caught:
            await transport.write([Setting(NAME, "s3cretvalue")])
        told = f"{caught.value} {caught.value.cause} {caught.value.description}"
        assert "s3cretvalue" not in told
        assert "SystemUnit Name" in str(caught.value)
        with pytest.raises(errors.CommandRejected):
            await transport.run(Command("OptionKeyAdd", {"Key": "s3cretvalue"}))
        with pytest.raises(errors.NotSupported):
            await transport.read_configuration(NAME)
        assert server.connections == 1
        await transport.close()


async def test_an_error_after_two_settings_leaves_the_third_unsent():
    async def answer(line: str, process: Process) -> None:
        process.stdout.write(b"Invalid\r\n" if "Two" in line else b"OK\r\n")

    async with serving(answer) as server:
        transport = transport_to(server)
        with pytest.raises(errors.CommandRejected):
            await transport.write([Setting.of(name, "x") for name in ("One", "Two", "Three")])
        assert [line.split()[1] for line in server.lines_seen] == ["One:", "Two:"]
        await transport.close()


async def test_an_element_that_the_appliance_does_not_have_is_an_empty_tree():
    async with serving(saying("\r\nOK\r\n")) as server:
        transport = transport_to(server)
        assert (await transport.read_status(ALTERNATES)).children == []
        assert (await transport.read_configuration(ALTERNATES)).children == []
        await transport.close()


async def test_ok_inside_a_value_does_not_end_a_reply():
    text = (
        '*c xConfiguration SystemUnit Name: "first\r\nOK\r\n\r\n*s/end\r\nOK"\r\n'
        '*c xConfiguration SystemUnit Maintenance Mode: "Off"\r\n\r\nOK\r\n'
    )
    async with serving(saying(text)) as server:
        transport = transport_to(server)
        tree = await transport.read_configuration(Path.parse("SystemUnit"))
        assert tree.get("SystemUnit Name") == "first\nOK\n\n*s/end\nOK"
        assert tree.get("SystemUnit Maintenance Mode") == "Off"
        await transport.close()
