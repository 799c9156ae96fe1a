"""A port that nobody listens at, and that no connection of another test takes meanwhile."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

BELOW_EPHEMERAL = range(20_000, 32_000)
"""Linux takes the ports of connections from 32768 on, so between asking and use none is lost."""

_draw = random.SystemRandom()


def free_port() -> int:
    """Free over TCP and over UDP on 127.0.0.1; drawn, so that parallel tests differ."""
    while True:
        port = _draw.choice(BELOW_EPHEMERAL)
        with ExitStack() as held:
            try:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    held.enter_context(socket.socket(type=kind)).bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
