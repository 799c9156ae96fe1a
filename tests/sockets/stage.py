"""A rehearsal whose peers are reached over real sockets, by the transports that are shipped.

Everything else is the fault matrix's stage: the fleet, the in-memory engine and the witness. Time
is real here, because a socket does not wait for virtual time; fleet and engine keep one pace.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from app.appliance.appliance import Appliance
from app.cli.simulate import servers
from app.engine.going import Pacing
from app.guide.scenarios import Rehearsed
from tests.matrix.stage import Stage
from transports import registry
from transports.base import Endpoint
from transports.mock.scenario import REHEARSAL_PASSWORD, ROOT_PASSWORD
from transports.trust import CertificatePin, HostKeyPin, Trust

PACE = 300.0
"""Appliance seconds per second. Above it, what this machine needs for a reply becomes a wait."""
LEAST_LIMIT = 30.0
"""Seconds of real time that every step has, whatever its limit is on appliances."""

QUIET = "0.05"
"""Seconds of silence that end a reply on the command line: the server is in this process."""


class Way(enum.StrEnum):
    """How the peers are reached."""

    SSH = "ssh"
    """The admin command line, and the web forms beside it."""
    SSH_AS_ROOT = "ssh-as-root"
    """The same with the root shell granted."""
    HTTP = "http"
    """HTTPS alone: XML API and web forms."""


class SocketStage(Stage):
    """One rehearsed procedure against the fleet's own servers. Made and used in `on_stage`."""

    def __init__(self, rehearsed: Rehearsed, way: Way) -> None:
        super().__init__(rehearsed, pace=PACE)
        self.way = way
        self.reachable: dict[str, Mapping[str, Any]] = {}

    def new_worker(self, name: str) -> None:
        super().new_worker(name)
        self.runner.pacing = Pacing(least_limit=LEAST_LIMIT)

    def appliance(self, peer_id: str, password: str = REHEARSAL_PASSWORD) -> Appliance:
        """A new appliance over the transports of this stage's way."""
        entry = self.reachable[peer_id]
        web = CertificatePin(entry["certificate"])
        if self.way is Way.HTTP:
            ends = [("http", _endpoint(entry["https_port"], password, web))]
        else:
            key = HostKeyPin(" ".join(entry["host_key"].split()[:2]))
            root = {"root": "true"} if self.way is Way.SSH_AS_ROOT else {}
            options = {"quiet_time": QUIET, "poll_time": QUIET, **root}
            ends = [
                ("ssh", _endpoint(entry["ssh_port"], password, key, **options)),
                ("http", _endpoint(entry["https_port"], password, web, xml_api="false")),
            ]
        transports = [registry.create(name, endpoint) for name, endpoint in ends]
        return Appliance(peer_id, transports, self.clock)


@asynccontextmanager
async def on_stage(rehearsed: Rehearsed, way: Way) -> AsyncIterator[SocketStage]:
    """A stage whose servers answer until the end of the block."""
    stage = SocketStage(rehearsed, way)
    async with servers(stage.fleet) as described:
        stage.reachable = {entry["name"]: entry for entry in described}
        yield stage


def _endpoint(port: int, password: str, trust: Trust, **options: str) -> Endpoint:
    return Endpoint(
        host="127.0.0.1",
        port=port,
        username="admin",
        password=password,
        root_password=ROOT_PASSWORD if options.get("root") else "",
        trust=trust,
        options=options,
    )
