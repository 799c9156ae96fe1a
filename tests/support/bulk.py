"""What tests of bulk jobs do beside the API: clusters to select, workers, and the ends of jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from app.domain.job import JobState, StepFailure
from app.domain.observation import View
from app.engine import transitions
from app.engine.records import Leave
from app.storage.desk import ConnectionDesk

if TYPE_CHECKING:
    from tests.api.conftest import World

START = "/v1/procedures/backup/bulk-jobs"
BROKEN = StepFailure("no-room", "There is no room for a backup.", "Make room.")


class Bulk:
    """Clusters of one peer each, and one caller who starts the same on many of them."""

    def __init__(self, world: World, seen: Callable[..., View]) -> None:
        self.world = world
        self._seen = seen
        self.clusters: list[str] = []
        self.peers: dict[str, str] = {}
        self._keys = 0

    async def cluster(self, *labels: tuple[str, str], **policy: Any) -> str:
        """One more cluster, whose peer answers."""
        number = len(self.clusters) + 1
        body = {
            "name": f"c{number}.example.com",
            "labels": [{"name": name, "value": value} for name, value in labels],
            **({"policy": policy} if policy else {}),
        }
        made = await self.world.client.post("/v1/clusters", json=body)
        assert made.status_code == 201, made.text
        cluster_id = str(made.json()["id"])
        peer = await self.world.peer(f"exp{number}", f"192.0.2.{number}")
        async with self.world.parts.store.transaction() as tx:
            await tx.clusters.record_members(cluster_id, [peer["id"]], peer["id"])
        self.clusters.append(cluster_id)
        self.peers[cluster_id] = peer["id"]
        self.answers(cluster_id)
        return cluster_id

    def answers(self, cluster_id: str) -> None:
        """The cluster's peer can be reached."""
        peer = self.peers[cluster_id]
        self.world.appliances.views[peer] = self._seen(peer)

    def silent(self, cluster_id: str) -> None:
        """The cluster's peer does not answer: no plan of it may start."""
        del self.world.appliances.views[self.peers[cluster_id]]

    async def start(
        self, *cluster_ids: str, headers: Any = None, queue: bool = False, **body: Any
    ) -> Any:
        self._keys += 1
        asked = {"selector": {"cluster_ids": list(cluster_ids)}, **body}
        key = {"Idempotency-Key": f"bulk-{self._keys}", **(headers or {})}
        query = {"queue": queue}
        return await self.world.client.post(START, json=asked, headers=key, params=query)

    async def read(self, bulk: Any) -> dict[str, Any]:
        answer = await self.world.client.get(f"/v1/bulk-jobs/{bulk['id']}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def children(self, bulk: Any) -> list[dict[str, Any]]:
        """By position."""
        return [child for wave in (await self.read(bulk))["waves"] for child in wave["children"]]

    async def states(self, bulk: Any) -> list[str]:
        return [child["state"] for child in await self.children(bulk)]

    def later(self, **moved: float) -> None:
        ahead = self.world.clock.ahead or timedelta()
        self.world.clock.ahead = ahead + timedelta(**(moved or {"seconds": 4}))

    async def work(self, owner: str = "worker-1") -> int:
        """What one worker does until nothing is due; how often it had something."""
        self.later()
        pieces = 0
        while await self.world.services.bulk_work.run_once(owner):
            pieces += 1
        return pieces

    async def end(self, child: Any, state: JobState = JobState.SUCCEEDED) -> None:
        """The engine ends the job of a child."""
        failure = BROKEN if state is JobState.FAILED else None
        async with self.world.parts.store.transaction() as tx:
            desk = cast("ConnectionDesk", tx.jobs)
            job, now = await desk.locked(child["job_id"])
            job = await desk.apply(job, transitions.claimed(job, "engine", now))
            await desk.apply(job, transitions.left(job, Leave(state, failure=failure), now))

    async def end_all(self, bulk: Any, state: JobState = JobState.SUCCEEDED) -> None:
        """The jobs that are under way end."""
        for child in await self.children(bulk):
            if child["state"] == "started":
                await self.end(child, state)

    async def to_the_end(self, bulk: Any, owner: str = "worker-1") -> dict[str, Any]:
        """Every job that is made succeeds."""
        for _ in range(50):
            await self.work(owner)
            found = await self.read(bulk)
            if found["finished_at"]:
                return found
            await self.end_all(bulk)
        raise AssertionError(found)

    async def jobs(self, bulk: Any) -> list[dict[str, Any]]:
        query = {"bulk_job_id": bulk["id"], "limit": 200}
        found: list[dict[str, Any]] = (
            await self.world.client.get("/v1/jobs", params=query)
        ).json()["items"]
        return found
