"""How far the other end of an open connection is, as the kernel has measured it for itself.

TCP measures every connection it carries, so this costs no packet and no log-in, and the appliance
does not see it. It is the way to whatever ends the connection: the appliance, or a proxy in front
of it.
"""

from __future__ import annotations

import socket
import struct
from typing import Protocol

_SMALLEST_AT = 148
"""Where `tcpi_min_rtt` stands in Linux' `struct tcp_info` (linux/tcp.h, since Linux 4.6)."""
_NOT_MEASURED = 0xFFFFFFFF


class Socket(Protocol):
    """What a socket and asyncio's stand-in for one have in common."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        """See `socket.socket`."""


def smallest(of: Socket | None) -> float | None:
    """Milliseconds there and back, the smallest of this connection's life.

    None where there is no connection, or the system does not tell.
    """
    option = getattr(socket, "TCP_INFO", None)
    if of is None or option is None:
        return None
    try:
        told = of.getsockopt(socket.IPPROTO_TCP, option, _SMALLEST_AT + 4)
    except OSError:
        return None
    if len(told) < _SMALLEST_AT + 4:
        return None
    (microseconds,) = struct.unpack_from("=I", told, _SMALLEST_AT)
    return None if microseconds == _NOT_MEASURED else microseconds / 1000


def smaller(one: float | None, other: float | None) -> float | None:
    """The smaller of two round trips; the other one where one is not known."""
    known = [took for took in (one, other) if took is not None]
    return min(known, default=None)
