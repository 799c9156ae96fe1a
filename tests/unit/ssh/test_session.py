"""Sessions over real sockets against a server that answers whatever a test wants."""

from __future__ import annotations

import asyncio

import asyncssh
import pytest

from tests.unit.ssh.hostile_server import (
    HELLO,
    HOST_KEY,
    OTHER_KEY,
    PASSWORD,
    Process,
    pin,
    saying,
    serving,
    transport_to,
)
from transports import errors
from transports.base import Limits
from transports.document import Path
from transports.ssh import probe_host_key
from transports.trust import CaBundle

pytestmark = pytest.mark.sockets

ALTERNATES = Path.parse("Alternates")
STATUS = '*s Alternates: /\r\n  Peer 1: /\r\n    Status: "Active"\r\n*s/end\r\n\r\nOK\r\n'


@pytest.mark.parametrize("prompt", [b"", b"> ", b"~ # ", b"exp1 OK: "])
@pytest.mark.parametrize("echo", [True, False])
async def test_a_status_is_read_whatever_the_prompt_and_echo(prompt, echo):
    async with serving(saying(STATUS.encode() + prompt), prompt=prompt, echo=echo) as server:
        transport = transport_to(server)
        for _ in range(3):
            tree = await transport.read_status(ALTERNATES)
            assert tree.get("Alternates Peer 1 Status") == "Active"
        await transport.close()
        assert server.connections == 1


async def test_a_shell_that_waits_for_a_newline_after_log_in_gets_one():
    async with serving(saying(STATUS), waits_for_newline=True) as server:
        transport = transport_to(server)
        assert (await transport.read_status(ALTERNATES)).children
        await transport.close()


async def test_a_flood_that_nobody_asked_for_is_held_back():
    sent = 0

    async def answer(line: str, process: Process) -> None:
        nonlocal sent
        process.stdout.write(STATUS.encode())
        for _ in range(600):
            process.stdout.write(b"x" * 100_000)
            await process.stdout.drain()
            sent += 100_000

    async with serving(answer) as server:
        transport = transport_to(server)
        await transport.read_status(ALTERNATES)
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.05)
        assert sent < 20_000_000
        await transport.close()


async def test_alarms_and_a_long_banner_after_log_in_are_passed_over():
    banner = b"TANDBERG Video Communication Server X8.2\r\n" + b"Error: alarm 40003\r\n" * 200
    async with serving(saying(STATUS), banner=banner, prompt=b"\r\n> ") as server:
        transport = transport_to(server)
        assert (await transport.read_status(ALTERNATES)).find("Alternates") is not None
        await transport.close()


async def test_a_forced_password_change_at_log_in_is_not_typed_into():
    async with serving(saying(STATUS), prompt=b"current password: ", hello=None) as server:
        transport = transport_to(server)
        with pytest.raises(errors.AuthenticationFailed):
            await transport.read_status(ALTERNATES)
        assert server.lines_seen == []
        await transport.close()


@pytest.mark.parametrize("methods", ["password", "keyboard", "password keyboard"])
async def test_a_wrong_password_is_sent_once_and_never_again(methods):
    async with serving(saying(STATUS), methods=methods) as server:
        transport = transport_to(server, password="wrong")
        for _ in range(3):
            with pytest.raises(errors.AuthenticationFailed) as caught:
                await transport.read_status(ALTERNATES)
            assert "wrong" not in str(caught.value)
        assert server.passwords_seen == ["wrong"]
        assert server.connections == 1
        await transport.close()


async def test_a_keyboard_interactive_server_is_logged_in_to():
    async with serving(saying(STATUS), methods="keyboard") as server:
        transport = transport_to(server)
        await transport.read_status(ALTERNATES)
        assert server.passwords_seen == [PASSWORD]
        await transport.close()


async def test_a_changed_host_key_is_reported_before_the_password_is_sent():
    async with serving(saying(STATUS), key=OTHER_KEY) as server:
        transport = transport_to(server)
        with pytest.raises(errors.IdentityChanged) as caught:
            await transport.read_status(ALTERNATES)
        assert caught.value.pinned == pin(HOST_KEY).fingerprint
        assert caught.value.presented == pin(OTHER_KEY).fingerprint
        assert server.passwords_seen == []
        await transport.close()


async def test_a_host_key_of_another_type_is_a_changed_identity_too():
    key = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    async with serving(saying(STATUS), key=key) as server:
        transport = transport_to(server)
        with pytest.raises(errors.IdentityChanged) as caught:
            await transport.read_status(ALTERNATES)
        assert caught.value.presented == pin(key).fingerprint
        assert server.passwords_seen == []


async def test_the_probed_host_key_is_the_one_to_pin():
    async with serving(saying(STATUS)) as server:
        line = await probe_host_key("127.0.0.1", server.port, 5)
        assert line == pin(HOST_KEY).public_key
        assert server.passwords_seen == []


@pytest.mark.parametrize("trust", [None, CaBundle("x")])
async def test_without_a_pinned_host_key_there_is_no_transport(trust):
    async with serving(saying(STATUS)) as server:
        with pytest.raises(errors.InvalidRequest):
            transport_to(server, trust=trust)


async def test_a_closed_port_is_unreachable(unused_tcp_port_number):
    async with serving(saying(STATUS)) as server:
        transport = transport_to(server, port=unused_tcp_port_number)
        with pytest.raises(errors.Unreachable):
            await transport.read_status(ALTERNATES)
        with pytest.raises(errors.Unreachable):
            await probe_host_key("127.0.0.1", unused_tcp_port_number, 5)


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 4000])
async def test_a_port_that_speaks_no_ssh_is_unreachable_within_the_limit(greeting):
    async def speak(reader, writer):
        writer.write(greeting)
        await reader.read(-1)
        writer.close()

    async with serving(saying(STATUS)) as ssh:
        listener = await asyncio.start_server(speak, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        transport = transport_to(ssh, port=port, limits=Limits(connect=0.3))
        with pytest.raises(errors.Unreachable):
            await transport.read_status(ALTERNATES)
        listener.close()
        await listener.wait_closed()


async def test_a_shell_that_never_answers_after_log_in_is_unreachable():
    async with serving(saying(b""), hello=None) as server:
        transport = transport_to(server, limits=Limits(connect=0.4))
        with pytest.raises(errors.Unreachable):
            await transport.read_status(ALTERNATES)


async def test_a_greeting_without_end_is_unreachable():
    async with serving(saying(STATUS), banner=b"alarm\r\n" * 100_000) as server:
        with pytest.raises(errors.Unreachable):
            await transport_to(server).read_status(ALTERNATES)


async def test_silence_after_a_line_times_out_and_a_new_session_serves_the_next():
    replies = [b"", STATUS.encode()]

    async def answer(line: str, process: Process) -> None:
        process.stdout.write(replies.pop(0))

    async with serving(answer) as server:
        transport = transport_to(server, limits=Limits(reply=0.5))
        with pytest.raises(errors.ReplyTimeout) as caught:
            await transport.read_status(ALTERNATES)
        assert caught.value.sent is None
        await asyncio.sleep(0.02)
        assert server.open_connections[0].is_closed()
        assert (await transport.read_status(ALTERNATES)).children
        assert server.connections == 2
        await transport.close()


@pytest.mark.parametrize("cut_at", [0, 1, 20, len(STATUS) - 6])
async def test_a_session_that_dies_in_mid_reply_is_lost_and_then_opened_again(cut_at):
    async def answer(line: str, process: Process) -> None:
        if server.connections == 1:
            process.stdout.write(STATUS.encode()[:cut_at])
            await process.stdout.drain()
            server.cut()
        else:
            process.stdout.write(STATUS.encode())

    async with serving(answer) as server:
        transport = transport_to(server)
        with pytest.raises(errors.ConnectionLost) as caught:
            await transport.read_status(ALTERNATES)
        assert caught.value.sent is None
        assert (await transport.read_status(ALTERNATES)).children
        await transport.close()


async def test_a_restart_between_two_calls_is_not_noticed_by_the_caller():
    async with serving(saying(STATUS)) as server:
        transport = transport_to(server)
        await transport.read_status(ALTERNATES)
        server.cut()
        await asyncio.sleep(0.02)
        assert (await transport.read_status(ALTERNATES)).children
        assert server.connections == 2
        await transport.close()


@pytest.mark.parametrize("piece", [b"x" * 1000, b"x\r\n" * 300, b"\r\n" * 500, b"  A: 1\r\n" * 99])
async def test_output_without_end_stops_at_the_limit(piece):
    async def answer(line: str, process: Process) -> None:
        process.stdout.write(b"*s Alternates: /\r\n")
        while not process.is_closing():
            process.stdout.write(piece)
            await process.stdout.drain()

    async with serving(answer) as server:
        transport = transport_to(server, limits=Limits(reply=20, max_reply_bytes=300_000))
        with pytest.raises(errors.ReplyTooLarge):
            await transport.read_status(ALTERNATES)
        await transport.close()


async def test_a_status_of_ten_megabytes_is_read():
    zones = "".join(f'  Zone {n}: /\r\n    Name: "{"z" * 900}"\r\n' for n in range(1, 11_000))
    text = f"*s Zones: /\r\n{zones}*s/end\r\n\r\nOK\r\n"
    async with serving(saying(text)) as server:
        transport = transport_to(server, limits=Limits(reply=60))
        tree = await transport.read_status(Path.parse("Zones"))
        assert len(tree.children[0].children) == 10_999
        await transport.close()


@pytest.mark.parametrize(
    "text",
    [
        "*s Alternates: /\r\n nonsense\r\n*s/end\r\n\r\nOK\r\n",
        "*s Zones: /\r\n  Zone 1: /\r\n*s/end\r\n\r\nOK\r\n",
        "*c xConfiguration Alternates\r\nOK\r\n",
        "some words\r\nOK\r\n",
        '*s Alternates: /\r\n*s Peer: "x"\r\n*s/end\r\n\r\nOK\r\n',
    ],
)
async def test_a_reply_that_cannot_be_read_closes_the_session(text):
    async with serving(saying(text)) as server:
        transport = transport_to(server)
        for count in (1, 2):
            with pytest.raises(errors.Garbled):
                await transport.read_status(ALTERNATES)
            assert server.connections == count
        await transport.close()


async def test_what_came_after_a_reply_is_never_taken_for_the_next_one():
    stale = b'*s Alternates: /\r\n  Peer 1: /\r\n    Status: "Stale"\r\n*s/end\r\n\r\nOK\r\n'
    for echo in (True, False):
        async with serving(saying(STATUS.encode() + stale), echo=echo) as server:
            transport = transport_to(server)
            for _ in range(3):
                tree = await transport.read_status(ALTERNATES)
                assert tree.get("Alternates Peer 1 Status") == "Active"
                await asyncio.sleep(0.02)
            assert server.connections == (1 if echo else 3)
            await transport.close()


async def test_a_cancelled_call_leaves_nothing_for_the_next():
    started = asyncio.Event()

    async def answer(line: str, process: Process) -> None:
        if server.connections == 1:
            started.set()
        else:
            process.stdout.write(STATUS.encode())

    async with serving(answer) as server:
        transport = transport_to(server)
        call = asyncio.create_task(transport.read_status(ALTERNATES))
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await transport.read_status(ALTERNATES)).children
        await transport.close()


async def test_concurrent_calls_take_turns_on_one_session():
    busy = 0

    async def answer(line: str, process: Process) -> None:
        nonlocal busy
        busy += 1
        assert busy == 1
        await asyncio.sleep(0.002)
        element = line.split()[1]
        busy -= 1
        process.stdout.write(f'*s {element}: "{element}"\r\n*s/end\r\n\r\nOK\r\n'.encode())

    async with serving(answer) as server:
        transport = transport_to(server)
        names = [f"Element{n}" for n in range(20)]
        trees = await asyncio.gather(*(transport.read_status(Path.parse(n)) for n in names))
        assert [tree.get(name) for tree, name in zip(trees, names, strict=True)] == names
        assert server.connections == 1
        await transport.close()


async def test_closing_twice_and_using_again_works():
    async with serving(saying(STATUS)) as server:
        transport = transport_to(server)
        await transport.close()
        await transport.read_status(ALTERNATES)
        await transport.close()
        await transport.close()
        await transport.read_status(ALTERNATES)
        assert server.connections == 2
        await transport.close()


async def test_a_session_that_rested_too_long_is_replaced(monkeypatch):
    monkeypatch.setattr("transports.ssh.session.IDLE_SECONDS", 0.02)
    async with serving(saying(STATUS)) as server:
        transport = transport_to(server)
        await transport.read_status(ALTERNATES)
        await asyncio.sleep(0.06)
        await transport.read_status(ALTERNATES)
        assert server.connections == 2
        await transport.close()


@pytest.mark.parametrize(
    "options",
    [
        {"roots": "true"},
        {"root": "yes"},
        {"root": "true"},
        {"quiet_time": "nan"},
        {"quiet_time": "x"},
    ],
)
async def test_options_that_mean_nothing_are_refused(options):
    async with serving(saying(STATUS)) as server:
        with pytest.raises(errors.InvalidRequest):
            transport_to(server, options=options)


async def test_sha1_and_cbc_are_only_offered_where_the_endpoint_says_so():
    async def old_server(reader, writer):
        writer.write(b"SSH-2.0-old\r\n")
        offers.append(await reader.read(4096))
        offers[-1] += await reader.read(4096)
        writer.close()

    offers: list[bytes] = []
    listener = await asyncio.start_server(old_server, "127.0.0.1", 0)
    async with serving(saying(HELLO)) as server:
        for options in ({}, {"legacy_algorithms": "true"}):
            port = listener.sockets[0].getsockname()[1]
            with pytest.raises(errors.Unreachable):
                await transport_to(server, port=port, options=options).read_status(ALTERNATES)
    listener.close()
    await listener.wait_closed()
    for name in (b"group14-sha1", b"ssh-rsa,", b"aes128-cbc", b"hmac-sha1"):
        assert name not in offers[0] + b","
    assert b"diffie-hellman-group1-sha1" in offers[1]
    assert b"aes128-cbc" in offers[1]
    assert offers[0].index(b"aes128-gcm") < offers[0].index(b"chacha20")
