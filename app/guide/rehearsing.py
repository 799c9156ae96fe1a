"""Plans of every procedure over rehearsed fleets, made and not run.

Fleet and transport are the simulated ones, time is virtual, so it takes a second or two and needs
neither a service nor a database.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from app.appliance.appliance import Appliance
from app.appliance.trouble import trouble_with
from app.domain.cluster import Cluster
from app.domain.observation import NotObserved, View
from app.domain.peer import Peer
from app.domain.plan import Plan
from app.domain.procedure import Situation
from app.engine.clock import LoopClock
from app.guide.scenarios import CLUSTER, REHEARSED, Rehearsed
from app.procedures.base import Procedure
from app.procedures.drafting import drafted
from app.procedures.registry import PROCEDURES
from transports import mock
from transports.base import Endpoint
from transports.errors import TransportError
from transports.mock import virtual_time
from transports.mock.fleet import Fleet
from transports.mock.scenario import REHEARSAL_PASSWORD

_FLEET: Final = "guide"
_WHEN: Final = datetime(2026, 1, 1, tzinfo=UTC)


def plans(rehearsed: Sequence[Rehearsed] = REHEARSED) -> tuple[Plan, ...]:
    """The plan of each rehearsed procedure."""
    return tuple(virtual_time.run(_plan(one)) for one in rehearsed if one.procedure in PROCEDURES)


async def _plan(rehearsed: Rehearsed) -> Plan:
    fleet = Fleet.from_scenario(rehearsed.scenario)
    mock.register(_FLEET, fleet)
    for name, settings in rehearsed.amiss.items():
        for path, value in settings.items():
            fleet[name].write(path.split(), value)
    for name in rehearsed.off:
        fleet[name].lose_power()
    procedure: Procedure = PROCEDURES[rehearsed.procedure]
    situation = await _situation(fleet, rehearsed)
    draft = drafted(procedure, procedure.parameters(**rehearsed.parameters), situation)
    return Plan(
        id=f"plan-{rehearsed.title}",
        cluster_id="cluster-1",
        procedure=rehearsed.procedure,
        parameters=dict(rehearsed.parameters),
        stages=draft.stages,
        findings=draft.findings,
        impact=draft.impact,
        back_out=draft.back_out,
        fingerprint=dict(draft.relies_on),
        created_at=_WHEN,
        expires_at=_WHEN + timedelta(days=1),
        requested_by="guide",
    )


async def _situation(fleet: Fleet, rehearsed: Rehearsed) -> Situation:
    peers = {device.name: Peer(device.name, device.name, device.address) for device in fleet}
    members = tuple(peers.values())[: rehearsed.members]
    primary = members[0].id if members else None
    views: dict[str, View] = {}
    capabilities: dict[str, frozenset[str]] = {}
    for peer in peers.values():
        appliance = _appliance(peer)
        capabilities[peer.id] = frozenset(c.value for c in appliance.capabilities)
        try:
            views[peer.id] = await appliance.observe()
        except TransportError as error:
            trouble = trouble_with(error)
            views[peer.id] = NotObserved(peer.id, _WHEN, trouble.code, str(error), trouble.remedy)
        finally:
            await appliance.close()
    return Situation(
        cluster=Cluster("cluster-1", CLUSTER, members, primary),
        peers=peers,
        views=views,
        capabilities=capabilities,
        memberships={member.id: "cluster-1" for member in members},
        images=dict.fromkeys(rehearsed.images, 1),
        neighbours=rehearsed.neighbours,
    )


def _appliance(peer: Peer) -> Appliance:
    options = {"fleet": _FLEET, "root": "true"}
    endpoint = Endpoint(
        host=peer.address, port=0, username="admin", password=REHEARSAL_PASSWORD, trust=None,
        options=options,
    )  # fmt: skip
    return Appliance(peer.id, [mock.create(endpoint)], LoopClock())
