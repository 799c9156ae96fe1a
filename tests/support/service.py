"""The service and the fleet as processes of their own, as a user runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 60.0
SPEED = 100.0


class Process:
    """One `clusterway` process with its output in a file."""

    def __init__(self, folder: Path, name: str, arguments: list[str], **environment: str) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
                cwd=Path(__file__).parents[2],
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = 30.0) -> int:
        return self._process.wait(seconds)

    def stop(self) -> int:
        if self.running:
            self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            return self.wait()


@dataclass
class Lab:
    """Fleet, API and workers over one data folder; ended by `close`."""

    folder: Path
    scenario: Mapping[str, Any] = field(default_factory=dict)
    database_url: str | None = None
    processes: list[Process] = field(default_factory=list)
    workers: int = 0

    def start_fleet(self) -> list[dict[str, Any]]:
        description = self.folder / "fleet.json"
        scenario = self.folder / "scenario.json"
        scenario.write_text(json.dumps(self.scenario), encoding="utf-8")
        self.fleet = self._start(
            "fleet",
            ["simulate", "--speed", str(SPEED), "--scenario", str(scenario)]
            + ["--write", str(description)],
        )
        wait_until(description.exists, "the fleet's description", self.fleet)
        self.expressways: list[dict[str, Any]] = json.loads(
            description.read_text(encoding="utf-8")
        )["expressways"]
        return self.expressways

    def start_api(self, *, worker: bool) -> None:
        arguments = ["serve", "--port", "0"] + ([] if worker else ["--no-worker"])
        api = self._start("api", arguments, **self.environment)
        self.api = api
        url = wait_until(lambda: _after(api.said, "API on "), "the API's address", api)
        key = _after(api.said, "shown only now: ")
        self.client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=90.0,
            trust_env=False,
        )

    def start_worker(self) -> Process:
        self.workers += 1
        worker = self._start(f"worker-{self.workers}", ["worker"], **self.environment)
        wait_until(lambda: "carrying out jobs" in worker.said, "a worker", worker)
        return worker

    @property
    def environment(self) -> dict[str, str]:
        url = {"CLUSTERWAY_DATABASE_URL": self.database_url} if self.database_url else {}
        return {
            "CLUSTERWAY_DATA_FOLDER": str(self.folder / "data"),
            "CLUSTERWAY_PACE": str(SPEED),
            "CLUSTERWAY_ALLOW_LOOPBACK_PEERS": "true",
            **url,
        }

    def close(self) -> None:
        if hasattr(self, "client"):
            self.client.close()
        for process in reversed(self.processes):
            process.stop()

    def _start(self, name: str, arguments: list[str], **environment: str) -> Process:
        process = Process(self.folder, name, arguments, **environment)
        self.processes.append(process)
        return process


@dataclass
class Story:
    """What a caller does over the HTTP API: register, plan, start, watch."""

    client: httpx.Client

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        key = os.urandom(8).hex()
        answer = self.client.post(path, json=body or {}, headers={"Idempotency-Key": key})
        document: dict[str, Any] = answer.json()
        assert answer.is_success, document
        return document

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self.client.get(path, params=query)
        document: dict[str, Any] = answer.json()
        assert answer.is_success, document
        return document

    def credential(self, secret: str, name: str = "admin") -> str:
        body = {"name": name, "kind": "password", "username": "admin", "secret": secret}
        return str(self.post("/v1/credentials", body)["id"])

    def register(self, expressways: list[dict[str, Any]], credential_id: str) -> list[str]:
        return [
            str(self.post("/v1/peers", self.peer(entry, credential_id))["id"])
            for entry in expressways
        ]

    @staticmethod
    def peer(entry: Mapping[str, Any], credential_id: str) -> dict[str, Any]:
        endpoints = [
            {
                "transport": "ssh",
                "host": entry["host"],
                "port": entry["ssh_port"],
                "credential_id": credential_id,
                "trust": {"host_key": entry["host_key"]},
            },
            {
                "transport": "http",
                "host": entry["host"],
                "port": entry["https_port"],
                "credential_id": credential_id,
                "trust": {"certificate": entry["certificate"]},
                "options": {"xml_api": "false"},
            },
        ]
        return {"name": entry["name"], "address": entry["address"], "endpoints": endpoints}

    def start(self, cluster_id: str, slug: str, parameters: Mapping[str, Any]) -> str:
        path = f"/v1/clusters/{cluster_id}/procedures/{slug}"
        plan = self.post(f"{path}/plan", parameters)
        blockers = [f for f in plan["findings"] if f["severity"] == "blocker"]
        assert blockers == []
        stated = [
            {"gate": needed["gate"], "by": "Ann Operator", "reason": "seen it"}
            for needed in plan["attestations_needed"]
        ]
        body = {**parameters, "plan_digest": plan["digest"], "attestations": stated}
        return str(self.post(path, body)["id"])

    def finish(self, job_id: str, seconds: float = 240.0) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        job = self.get(f"/v1/jobs/{job_id}")
        while job["state"] not in {"succeeded", "failed", "cancelled"}:
            assert time.monotonic() < deadline, job
            job = self.get(f"/v1/jobs/{job_id}", wait=10)
        return job

    def steps(self, job: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        return {step["key"]: step for stage in job["stages"] for step in stage["steps"]}

    def build(self, cluster_id: str, peers: list[str]) -> None:
        first, *others = peers
        job = self.finish(self.start(cluster_id, "create-cluster", {"primary_peer_id": first}))
        assert job["state"] == "succeeded", job["failure"]
        for peer in others:
            job = self.finish(self.start(cluster_id, "add-peer", {"peer_id": peer}))
            assert job["state"] == "succeeded", job["failure"]

    def assert_cluster(self, cluster_id: str, name: str, addresses: list[str]) -> None:
        """Each peer itself says: this name, this list, this primary, database Active."""
        members = self.post(f"/v1/clusters/{cluster_id}/observations")["members"]
        assert len(members) == len(addresses)
        for member in members:
            page = member["observation"]["clustering"]
            assert page["cluster_name"] == name
            assert [peer["address"] for peer in page["peers"]] == addresses
            assert page["peers"][page["primary_index"] - 1]["address"] == addresses[0]
            assert page["database_status"] == "Active"


def wait_until(condition: Callable[[], Any], what: str, process: Process | None = None) -> Any:
    """Poll until the condition gives something; fails with the process's output."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        found = condition()
        if found:
            return found
        said = process.said if process is not None else ""
        assert process is None or process.running, f"{what}: the process ended: {said}"
        assert time.monotonic() < deadline, f"{what} did not come: {said}"
        time.sleep(0.05)


def _after(text: str, words: str) -> str:
    _, found, rest = text.partition(words)
    return rest.split()[0] if found and rest.split() else ""
