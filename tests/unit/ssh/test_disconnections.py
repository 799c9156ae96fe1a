"""Why an appliance hangs up before the log-in is over, where it says why."""

from __future__ import annotations

import asyncssh
import pytest

from tests.unit.ssh.hostile_server import HOST_KEY, pin
from transports import errors, ssh
from transports.base import Endpoint, Limits
from transports.document import Path

pytestmark = pytest.mark.sockets


class HangsUp(asyncssh.SSHServer):
    def __init__(self, code: int, reason: str) -> None:
        self._goodbye = asyncssh.DisconnectError(code, reason)

    def begin_auth(self, username: str) -> bool:
        raise self._goodbye


REFUSED = asyncssh.DISC_HOST_NOT_ALLOWED_TO_CONNECT
MANY = asyncssh.DISC_TOO_MANY_CONNECTIONS
ODD = asyncssh.DISC_BY_APPLICATION


@pytest.mark.parametrize(
    ("code", "reason", "meant"),
    [
        (REFUSED, "Your address is banned", errors.Banned),
        (ODD, "host blocked by intrusion protection", errors.Banned),
        (ODD, "Too many authentication failures", errors.AuthenticationFailed),
        (MANY, "come back later", errors.Busy),
        (ODD, "bankrupt", errors.Unreachable),
        (ODD, "", errors.Unreachable),
    ],
)
async def test_the_reason_decides_what_a_caller_may_do_next(code, reason, meant):
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=lambda: HangsUp(code, reason), server_host_keys=[HOST_KEY]
    )
    endpoint = Endpoint(
        host="127.0.0.1",
        port=server.sockets[0].getsockname()[1],
        username="admin",
        password="secret-4711",
        trust=pin(HOST_KEY),
        limits=Limits(connect=5.0),
    )
    transport = ssh.create(endpoint)
    try:
        with pytest.raises(errors.TransportError) as caught:
            await transport.read_status(Path.parse("Alternates"))
        assert type(caught.value) is meant
        assert caught.value.sent is False
        assert "secret" not in str(caught.value)
    finally:
        await transport.close()
        server.close()
        await server.wait_closed()
