"""Looking at the host key of an appliance that is being enrolled.

Reads the key and stops before log-in: no user name and no password is sent. Whether the key is the
right one is for a person to say, by another way than this connection.
"""

from __future__ import annotations

import asyncio

import asyncssh

from transports.errors import Unreachable
from transports.ssh.algorithms import offered


async def probe_host_key(
    host: str, port: int = 22, timeout: float = 15.0, *, legacy_algorithms: bool = False
) -> str:
    """The host key that is presented there, as a line of OpenSSH public key text.

    `timeout` in seconds. Raises Unreachable where no key can be had.
    """
    algorithms = offered(legacy=legacy_algorithms)
    try:
        async with asyncio.timeout(timeout):
            key = await asyncssh.get_server_host_key(
                host,
                port,
                config=None,
                kex_algs=algorithms.key_exchanges,
                server_host_key_algs=algorithms.host_keys,
            )
    except TimeoutError:
        raise Unreachable(f"no host key within {timeout:g} s") from None
    except (OSError, asyncssh.Error) as error:
        raise Unreachable(f"no host key: {type(error).__name__}") from None
    if key is None:
        raise Unreachable("the server presents no host key")
    words = key.export_public_key("openssh").decode().split()
    return " ".join(words[:2])
