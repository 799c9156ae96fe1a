"""On X8.11 and later an emptied peer list means a factory reset: no plan may lead there."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from app.domain.plan import Plan
from app.procedures.registry import PROCEDURES
from simulation.rehearsal import CLUSTER, Rehearsal
from transports import ssh
from transports.base import Endpoint, Transport
from transports.mock.ssh_server import serve_ssh
from transports.mock.virtual_time import run
from transports.trust import HostKeyPin

STOPPED: Mapping[str, Mapping[str, Any]] = {
    "create-cluster": {"primary_peer_id": "exp3"},
    "add-peer": {"peer_id": "exp3"},
    "remove-peer": {"peer_id": "exp2"},
    "remove-dead-peer": {"peer_ids": ["exp2"]},
    "recover-removed-peer": {"peer_id": "exp3"},
    "disband": {},
    "change-primary": {"peer_id": "exp2"},
    "change-peer-address": {"peer_id": "exp2", "new_address": "192.0.2.22"},
    "replace-peer": {"peer_id": "exp2", "replacement_peer_id": "exp3"},
    "align-clustering": {},
    "rotate-pre-shared-key": {},
    "recover-database": {"peer_id": "exp2", "backup_id": "backup-1"},
    "upgrade": {"to_version": "X8.11.4"},
}
WRITES_THE_PEER_LIST = {
    f"app.procedures.steps.{name}" for name in ("clustering", "leaving", "address", "factory_reset")
}
LATER = {
    "version": "X8.11.3",
    "clusters": [{"name": CLUSTER, "members": ["exp1", "exp2"]}],
}


@asynccontextmanager
async def over_ssh(rehearsal: Rehearsal) -> AsyncIterator[None]:
    """From now on the rehearsal's appliances are reached by their real SSH servers."""
    async with AsyncExitStack() as stack:
        servers = {}
        for device in rehearsal.fleet:
            servers[device.address] = await serve_ssh(device)
            stack.push_async_callback(servers[device.address].close)

        def reached(endpoint: Endpoint) -> Transport:
            server = servers[endpoint.host]
            key = " ".join(server.host_key.split()[:2])
            there = replace(endpoint, host=server.host, port=server.port, trust=HostKeyPin(key))
            return ssh.create(replace(there, options={"quiet_time": "0.05"}))

        rehearsal.transport = reached
        yield


async def plans(rehearsal: Rehearsal, slugs: tuple[str, ...]) -> dict[str, Plan]:
    await rehearsal.registry.record_members(("exp1", "exp2"), "exp1")
    return {slug: await rehearsal.plan(slug, **STOPPED[slug]) for slug in slugs}


def assert_stopped(plan: Plan) -> None:
    found = [f for f in plan.blockers if f.code == "software-version-not-covered"]
    assert found, (plan.procedure, [f.code for f in plan.blockers])
    for finding in found:
        assert "X8.11.3" in finding.message
        assert "clearing all peer addresses makes the next restart a factory reset" in (
            finding.message
        )
        assert finding.evidence == {"software_version": "X8.11.3"}
        assert finding.remedy


def modules_of(module: str, known: frozenset[str] = frozenset()) -> frozenset[str]:
    """The modules of `app.procedures` that a procedure is made of, its own first."""
    known |= {module}
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("app.procedures"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                name = inner if is_module(inner) else str(node.module)
                if name not in known:
                    known |= modules_of(name, known)
    return known


def is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def test_every_procedure_that_could_empty_a_peer_list_is_tried_here():
    """A new one of these belongs into STOPPED, with parameters that only the version forbids."""
    made_of = {slug: modules_of(one.draft.__module__) for slug, one in PROCEDURES.items()}
    able = {slug for slug, modules in made_of.items() if modules & WRITES_THE_PEER_LIST}
    assert able - set(STOPPED) == set()
    assert set(STOPPED) <= set(PROCEDURES)
    assert "disband" in able


def test_no_plan_of_a_later_version_touches_the_peer_list():
    async def story() -> dict[str, Plan]:
        return await plans(Rehearsal(LATER), tuple(STOPPED))

    for plan in run(story()).values():
        assert_stopped(plan)


@pytest.mark.sockets
async def test_over_ssh_it_is_the_same():
    rehearsal = Rehearsal({**LATER, "rate": 500.0})
    async with over_ssh(rehearsal):
        for plan in (await plans(rehearsal, ("add-peer", "remove-peer", "disband"))).values():
            assert_stopped(plan)


@pytest.mark.parametrize("version", ["X8.11", "X8.12", "X12.5.4", "X14.0.2", "X15.0"])
def test_all_later_versions_are_known_for_it(version):
    async def story() -> Plan:
        rehearsal = Rehearsal({**LATER, "version": version})
        return (await plans(rehearsal, ("disband",)))["disband"]

    found = [f for f in run(story()).blockers if f.code == "software-version-not-covered"]
    assert found
    assert "factory reset" in found[0].message
