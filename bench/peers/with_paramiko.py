"""paramiko's shells in threads: typed commands, read until a line `OK`."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import paramiko

from bench.work import Measured, Replies, given, tell

LIMIT = 60.0


def until_ok(channel: paramiko.Channel) -> str:
    """What comes until a line says OK."""
    text = b""
    while not text.endswith(b"OK\r\n"):
        piece = channel.recv(65536)
        if not piece:
            raise EOFError(text)
        text += piece
    return text.decode()


def main() -> None:
    """Ask every peer everything."""
    work = given()
    replies = Replies()

    def one(peer: dict[str, Any]) -> list[str]:
        kind, key = peer["pin"].split()[:2]
        client = paramiko.SSHClient()
        known = paramiko.PKey.from_type_string(kind, base64.b64decode(key))
        client.get_host_keys().add(f"[{peer['host']}]:{peer['port']}", kind, known)
        alone = {"allow_agent": False, "look_for_keys": False, "timeout": LIMIT}
        limits = {"banner_timeout": LIMIT, "auth_timeout": LIMIT}
        client.connect(peer["host"], peer["port"], **work["account"], **alone, **limits)
        try:
            channel = client.invoke_shell()
            channel.settimeout(LIMIT)
            until_ok(channel)
            texts = []
            for command in work["commands"]:
                channel.sendall(f"{command}\n".encode())
                texts.append(until_ok(channel))
            return texts
        finally:
            client.close()

    with Measured() as cost, ThreadPoolExecutor(work["side_by_side"]) as threads:
        for texts in threads.map(one, work["peers"]):
            for text in texts:
                replies.take(text)
    tell(cost, **replies.proof())


main()
