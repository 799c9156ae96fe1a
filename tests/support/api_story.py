"""What a caller does over the HTTP API: register, plan, start, watch."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

ENDED = {"succeeded", "failed", "cancelled"}


@dataclass
class ApiStory:
    """One caller with one key."""

    client: httpx.AsyncClient

    async def ask(self, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """POST, whatever comes of it."""
        key = os.urandom(8).hex()
        return await self.client.post(path, json=body or {}, headers={"Idempotency-Key": key})

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return _good(await self.ask(path, body))

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        return _good(await self.client.get(path, params=query, timeout=90.0))

    async def credential(self, secret: str, name: str = "admin") -> str:
        body = {"name": name, "kind": "password", "username": "admin", "secret": secret}
        return str((await self.post("/v1/credentials", body))["id"])

    async def peer(self, name: str, address: str, *endpoints: Mapping[str, Any]) -> str:
        body = {"name": name, "address": address, "endpoints": list(endpoints)}
        return str((await self.post("/v1/peers", body))["id"])

    async def cluster(self, name: str) -> str:
        return str((await self.post("/v1/clusters", {"name": name}))["id"])

    async def plan(
        self, cluster_id: str, slug: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        return await self.post(f"/v1/clusters/{cluster_id}/procedures/{slug}/plan", parameters)

    async def start(self, cluster_id: str, slug: str, parameters: Mapping[str, Any]) -> str:
        """Plan, state what people must, and start exactly that plan."""
        plan = await self.plan(cluster_id, slug, parameters)
        assert [f for f in plan["findings"] if f["severity"] == "blocker"] == []
        stated = [
            {"gate": needed["gate"], "by": "Ann Operator", "reason": "seen it"}
            for needed in plan["attestations_needed"]
        ]
        body = {**parameters, "plan_digest": plan["digest"], "attestations": stated}
        job = await self.post(f"/v1/clusters/{cluster_id}/procedures/{slug}", body)
        return str(job["id"])

    async def finish(self, job_id: str, seconds: float = 240.0) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            job = await self.get(f"/v1/jobs/{job_id}")
            while job["state"] not in ENDED:
                job = await self.get(f"/v1/jobs/{job_id}", wait=10)
        return job

    async def run(
        self, cluster_id: str, slug: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        return await self.finish(await self.start(cluster_id, slug, parameters))

    async def build(self, cluster_id: str, peers: list[str]) -> None:
        """create-cluster on the first, add-peer for the others, one at a time."""
        first, *others = peers
        job = await self.run(cluster_id, "create-cluster", {"primary_peer_id": first})
        assert job["state"] == "succeeded", job["failure"]
        for peer in others:
            job = await self.run(cluster_id, "add-peer", {"peer_id": peer})
            assert job["state"] == "succeeded", job["failure"]

    async def assert_cluster(self, cluster_id: str, name: str, addresses: list[str]) -> None:
        """Each peer itself says: this name, this list, this primary, database Active."""
        answers = await self.post(f"/v1/clusters/{cluster_id}/observations")
        assert len(answers["members"]) == len(addresses)
        for member in answers["members"]:
            page = member["observation"]["clustering"]
            assert page["cluster_name"] == name
            assert [peer["address"] for peer in page["peers"]] == addresses
            assert page["peers"][page["primary_index"] - 1]["address"] == addresses[0]
            assert page["database_status"] == "Active"


def mock_endpoint(address: str, credential_id: str) -> dict[str, Any]:
    """In process."""
    return {
        "transport": "mock",
        "host": address,
        "port": 1,
        "credential_id": credential_id,
        "options": {"fleet": "house"},
    }


def ssh_endpoint(entry: Mapping[str, Any], credential_id: str, **more: Any) -> dict[str, Any]:
    """The admin command line; `entry` is how `clusterway simulate` describes a device."""
    return {
        "transport": "ssh",
        "host": entry["host"],
        "port": entry["ssh_port"],
        "credential_id": credential_id,
        "trust": {"host_key": entry["host_key"]},
        **more,
    }


def web_endpoint(entry: Mapping[str, Any], credential_id: str, *, xml: bool) -> dict[str, Any]:
    """The web forms, and with `xml` the XML API too."""
    return {
        "transport": "http",
        "host": entry["host"],
        "port": entry["https_port"],
        "credential_id": credential_id,
        "trust": {"certificate": entry["certificate"]},
        "options": {} if xml else {"xml_api": "false"},
    }


def _good(answer: httpx.Response) -> dict[str, Any]:
    document: dict[str, Any] = answer.json()
    assert answer.is_success, document
    return document
