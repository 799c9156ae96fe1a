"""Opening one SSH connection to the pinned host, and saying in our words why it did not open.

Only the password and the pin of the endpoint are used: no configuration file, no agent, no key, no
known_hosts file, because what the service trusts must not depend on the account it runs under. The
host key is compared inside the key exchange, so a changed one ends the attempt before the password
could be sent. The password goes out at most once per connection.
"""

from __future__ import annotations

import asyncio
import re

import asyncssh

from transports.base import Endpoint
from transports.errors import (
    AuthenticationFailed,
    Banned,
    Busy,
    IdentityChanged,
    InvalidRequest,
    TransportError,
    Unreachable,
)
from transports.ssh.algorithms import offered
from transports.trust import HostKeyPin

KEEPALIVE_SECONDS = 30.0
KEEPALIVE_MISSES = 4
_CLOSING_SECONDS = 2.0
_BANNED = re.compile(r"\b(banned|blocked|ban)\b", re.IGNORECASE)
_TOO_MANY = re.compile(r"too many (authentication failures|failed)", re.IGNORECASE)


def pin_of(endpoint: Endpoint) -> HostKeyPin:
    """The endpoint's pinned host key. Raises InvalidRequest where it has none."""
    if not isinstance(endpoint.trust, HostKeyPin):
        raise InvalidRequest("the ssh transport needs a pinned host key to trust")
    return endpoint.trust


async def connect(
    endpoint: Endpoint, username: str, password: str, *, legacy: bool
) -> asyncssh.SSHClientConnection:
    """An authenticated connection. Bounded by the caller.

    Raises Unreachable, Busy, IdentityChanged, AuthenticationFailed or Banned.
    """
    pin = pin_of(endpoint)
    client = _PinnedClient()
    algorithms = offered(legacy=legacy, pinned_type=pin.public_key.split()[0])
    try:
        key = asyncssh.import_public_key(pin.public_key)
        connection, _ = await asyncssh.create_connection(
            lambda: client,
            endpoint.host,
            endpoint.port,
            username=username,
            password=password,
            known_hosts=([key], [], []),
            config=None,
            agent_path=None,
            client_keys=None,
            x509_trusted_certs=None,
            gss_kex=False,
            gss_auth=False,
            preferred_auth="password,keyboard-interactive",
            compression_algs=None,
            encryption_algs=algorithms.ciphers,
            kex_algs=algorithms.key_exchanges,
            mac_algs=algorithms.macs,
            server_host_key_algs=algorithms.host_keys,
            connect_timeout=None,
            login_timeout=endpoint.limits.connect,
            keepalive_interval=KEEPALIVE_SECONDS,
            keepalive_count_max=KEEPALIVE_MISSES,
        )
    except (OSError, asyncssh.Error) as error:
        raise _explained(error, pin, client.presented) from None
    except asyncssh.KeyImportError:
        raise InvalidRequest("the pinned host key is of a type that is not known here") from None
    return connection


async def disconnect(connection: asyncssh.SSHClientConnection) -> None:
    """Close the connection; cut it where the other end does not say goodbye. Never raises."""
    connection.close()
    try:
        async with asyncio.timeout(_CLOSING_SECONDS):
            await connection.wait_closed()
    except (TimeoutError, OSError, asyncssh.Error):
        connection.abort()


class _PinnedClient(asyncssh.SSHClient):
    """Notes which host key was presented where it was not the pinned one."""

    def __init__(self) -> None:
        self.presented = ""

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Decline every key but the pinned one, which is never asked about here."""
        del host, addr, port
        self.presented = key.get_fingerprint("sha256")
        return False


def _explained(error: Exception, pin: HostKeyPin, presented: str) -> TransportError:
    """Our error for what the library raised. Carries none of the other side's text."""
    reason = error.reason if isinstance(error, asyncssh.DisconnectError) else ""
    if presented or isinstance(error, asyncssh.HostKeyNotVerifiable):
        return IdentityChanged(
            f"the host key is not the pinned one: pinned {pin.fingerprint}, "
            f"presented {presented or 'none that could be read'}",
            pinned=pin.fingerprint,
            presented=presented,
        )
    if _BANNED.search(reason):
        return Banned("the appliance says that it has blocked our address")
    if isinstance(error, asyncssh.PermissionDenied) or _TOO_MANY.search(reason):
        return AuthenticationFailed("the appliance declined the user name or password")
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return Unreachable(
            "no SSH algorithm in common; an old appliance may need the option "
            "legacy_algorithms=true"
        )
    if (
        isinstance(error, asyncssh.DisconnectError)
        and error.code == asyncssh.DISC_TOO_MANY_CONNECTIONS
    ):
        return Busy("the appliance takes no more connections for now")
    if isinstance(error, OSError):
        return Unreachable(f"no connection: {type(error).__name__}")
    return Unreachable(f"the SSH log-in did not complete: {type(error).__name__}")
