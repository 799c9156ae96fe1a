"""Names of receivers, looked up without a thread: a name server that hangs blocks nobody else."""

from __future__ import annotations

import socket

import aiodns
from aiodns.error import DNSError

SECONDS = 2.0
"""For one answer of a name server."""
TRIES = 2


async def resolve(host: str, port: int) -> list[str]:
    """The host's addresses, as this machine is set up to find them. Raises OSError without any."""
    resolver = aiodns.DNSResolver(timeout=SECONDS, tries=TRIES)
    try:
        found = await resolver.getaddrinfo(
            host, port=port, family=socket.AF_UNSPEC, type=socket.SOCK_STREAM
        )
    except (DNSError, UnicodeError) as error:
        raise OSError(f"the name was not resolved ({type(error).__name__})") from None
    finally:
        await resolver.close()
    addresses = [_text(node.addr[0]) for node in found.nodes]
    if not addresses:
        raise OSError("the name has no address")
    return addresses


def _text(address: bytes | str) -> str:
    return address.decode("ascii") if isinstance(address, bytes) else address
