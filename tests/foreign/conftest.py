"""The fleet for clients that know nothing of it: servers that look like appliances from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from transports.mock import Expressway, Fleet
from transports.mock.https_server import HttpsServer, serve_https
from transports.mock.ssh_server import SshServer, serve_ssh

_CLUSTER = {"name": "cluster1.example.com", "key": "k-4711", "members": ["exp1", "exp2"]}
_EXP1 = {"name": "exp1", "address": "192.0.2.11", "root": True}


@pytest.fixture
def device() -> Expressway:
    """The primary of a cluster of two; root is granted."""
    scenario = {
        "rate": 500.0,
        "expressways": [_EXP1, {"name": "exp2", "address": "192.0.2.12"}],
        "clusters": [_CLUSTER],
    }
    return Fleet.from_scenario(scenario)["exp1"]


@pytest.fixture
async def ssh(device: Expressway) -> AsyncIterator[SshServer]:
    server = await serve_ssh(device)
    yield server
    await server.close()


@pytest.fixture
async def https(device: Expressway) -> AsyncIterator[HttpsServer]:
    server = await serve_https(device)
    yield server
    await server.close()
