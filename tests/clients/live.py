"""A service and a fleet as a user runs them, with one Expressway for each story."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.api_story import ssh_endpoint, web_endpoint
from tests.support.service import Lab


@dataclass
class Live:
    """A running service; `needs` says in a file what one story needs."""

    lab: Lab
    expressways: list[dict[str, Any]]
    approver_key: str
    evidence_keys: Path
    """The public keys that the service signs with."""

    def needs(self, number: int, folder: Path) -> Path:
        """A story's own Expressway and cluster, and how to reach the service."""
        entry = self.expressways[number]
        peer = {
            "name": entry["name"],
            "address": entry["address"],
            "endpoints": [ssh_endpoint(entry, ""), web_endpoint(entry, "", xml=False)],
        }
        needs = {
            "url": self.lab.url,
            "key": self.lab.key,
            "approver_key": self.approver_key,
            "evidence": str(folder / "evidence.json"),
            "cluster": f"cluster{number + 1}.example.com",
            "username": "admin",
            "password": entry["password"],
            "peer": peer,
        }
        path = folder / "needs.json"
        path.write_text(json.dumps(needs), encoding="utf-8")
        return path


def _approver_key(lab: Lab) -> str:
    """The key of somebody who may agree and start nothing."""
    made = httpx.post(
        f"{lab.url}/v1/keys",
        json={"name": "approver", "scopes": ["approvals:decide", "jobs:read"]},
        headers={"Authorization": f"Bearer {lab.key}"},
        trust_env=False,
    )
    return str(made.raise_for_status().json()["key"])


def _get(lab: Lab, path: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {lab.key}"}
    return httpx.get(f"{lab.url}{path}", headers=headers, trust_env=False).raise_for_status()


@contextmanager
def live(folder: Path, stories: int) -> Iterator[Live]:
    """The service with that many Expressways that are not in a cluster yet."""
    scenario = {
        "expressways": [
            {"name": f"exp{number}", "address": f"192.0.2.{10 + number}"}
            for number in range(1, stories + 1)
        ]
    }
    lab = Lab(folder, scenario)
    try:
        expressways = lab.start_fleet()
        lab.start_api(worker=True)
        (folder / "keys.json").write_text(_get(lab, "/v1/evidence/keys").text, encoding="utf-8")
        yield Live(lab, expressways, _approver_key(lab), folder / "keys.json")
    finally:
        lab.close()
