"""Clusters are looked at by turns, and what is new is told once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import psycopg

from app.appliance.alarms import read_alarm
from app.domain.observation import NotObserved
from app.services.watching import Pace
from app.storage.database import plain_url
from tests.api.conftest import World
from tests.api.test_diagnosis import APART, lose_itself, member, standing

DEFAULT = 300.0


async def due(world: World, database_url: str) -> None:
    """Every cluster is enrolled (taking a turn does it) and its next look is due now."""
    await world.services.watching.watches.take_turn("nobody", default=DEFAULT, hold=0)
    async with await psycopg.AsyncConnection.connect(
        plain_url(database_url), autocommit=True
    ) as connection:
        await connection.execute(
            "update cluster_watch set next_at = now() - interval '1 s', held_until = null"
        )


async def look(world: World, database_url: str, owner: str = "one") -> str | None:
    watching = world.services.watching
    await due(world, database_url)
    return await watching.look_once(owner)


async def told(world: World, cluster: dict[str, Any], after: int = 0) -> list[tuple[str, str]]:
    path = f"/v1/clusters/{cluster['id']}/events"
    answer = await world.client.get(path, params={"after": after})
    assert answer.status_code == 200, answer.text
    return [(event["type"], event["data"].get("code", "")) for event in answer.json()["items"]]


async def test_a_finding_is_told_when_it_appears_and_when_it_clears_and_not_in_between(
    world: World, database_url: str
) -> None:
    cluster, (_, second) = await standing(world)
    assert await look(world, database_url) == cluster["id"]
    assert await told(world, cluster) == [("cluster.state.accepted", "")]
    lose_itself(world, second)
    for _ in range(3):
        await look(world, database_url)
    appeared = await told(world, cluster, after=1)
    assert ("cluster.finding.raised", "peer-misses-itself") in appeared
    assert ("cluster.alarm.raised", "cluster-communication") in appeared
    assert len(appeared) == len(set(appeared))
    world.appliances.views[second] = member(second, 2)
    for _ in range(3):
        await look(world, database_url)
    cleared = await told(world, cluster, after=1 + len(appeared))
    assert sorted(cleared) == sorted((t.replace("raised", "cleared"), c) for t, c in appeared)


async def test_the_numbers_of_events_have_no_gaps(world: World, database_url: str) -> None:
    cluster, (_, second) = await standing(world)
    await look(world, database_url)
    lose_itself(world, second)
    await look(world, database_url)
    items = (await world.client.get(f"/v1/clusters/{cluster['id']}/events")).json()["items"]
    assert [event["seq"] for event in items] == list(range(1, len(items) + 1))
    last = (await world.client.get(f"/v1/clusters/{cluster['id']}/watching")).json()
    assert last["last_event_seq"] == len(items)


async def test_a_peer_that_cannot_be_read_clears_nothing_that_was_known_of_it(
    world: World, database_url: str
) -> None:
    cluster, (_, second) = await standing(world)
    off = read_alarm("", "Insecure password in use - The admin user has the default password", "")
    world.appliances.views[second] = member(second, 2, alarms=(off,))
    await look(world, database_url)
    del world.appliances.views[second]
    before = len(await told(world, cluster))
    await look(world, database_url)
    assert await told(world, cluster, before) == [("cluster.finding.raised", "peer-unreachable")]
    world.appliances.views[second] = member(second, 2, alarms=(off,))
    await look(world, database_url)
    assert await told(world, cluster, before + 1) == [
        ("cluster.finding.cleared", "peer-unreachable")
    ]


async def test_two_processes_do_not_look_at_one_cluster_at_the_same_time(
    world: World, database_url: str
) -> None:
    cluster, _ = await standing(world)
    watching = world.services.watching
    await due(world, database_url)
    turns = await asyncio.gather(
        *(watching.watches.take_turn(f"p{n}", default=DEFAULT, hold=60) for n in range(8))
    )
    taken = [turn for turn in turns if turn is not None]
    assert [turn.cluster_id for turn in taken] == [cluster["id"]]
    assert await watching.look(taken[0])
    assert not await watching.look(taken[0]), "a turn that was given back was used again"


async def test_a_turn_that_ran_out_writes_nothing(world: World, database_url: str) -> None:
    cluster, _ = await standing(world)
    watching = world.services.watching
    await due(world, database_url)
    slow = await watching.watches.take_turn("slow", default=DEFAULT, hold=0)
    other = await watching.watches.take_turn("other", default=DEFAULT, hold=60)
    assert slow is not None
    assert other is not None
    assert not await watching.look(slow)
    assert await told(world, cluster) == []
    assert await watching.look(other)
    assert await told(world, cluster) == [("cluster.state.accepted", "")]


async def test_what_changed_since_the_accepted_state_is_told_and_can_be_accepted(
    world: World, database_url: str
) -> None:
    cluster, (first, _) = await standing(world)
    await look(world, database_url)
    changed = member(first, 1)
    changed = replace(changed, dns=replace(changed.dns, servers=("192.0.2.99",)))
    world.appliances.views[first] = changed
    await look(world, database_url)
    watched = (await world.client.get(f"/v1/clusters/{cluster['id']}/watching")).json()
    (drift,) = watched["standing"]
    assert drift["body"]["evidence"] == {"dns.servers.1": "192.0.2.53 -> 192.0.2.99"}
    other = replace(changed, dns=replace(changed.dns, servers=("192.0.2.98",)))
    world.appliances.views[first] = other
    await look(world, database_url)
    answer = await world.client.post(f"/v1/clusters/{cluster['id']}/watching/accept")
    assert answer.status_code == 200, answer.text
    await look(world, database_url)
    assert (await told(world, cluster))[1:] == [
        ("cluster.finding.raised", "changed-since-accepted"),
        ("cluster.finding.changed", "changed-since-accepted"),
        ("cluster.state.accepted", ""),
        ("cluster.finding.cleared", "changed-since-accepted"),
    ]


async def test_a_state_with_a_silent_member_is_not_accepted(world: World) -> None:
    cluster, (_, second) = await standing(world)
    del world.appliances.views[second]
    answer = await world.client.post(f"/v1/clusters/{cluster['id']}/watching/accept")
    assert answer.json()["code"] == "peer-not-observed"


async def test_looks_that_saw_the_same_are_one_period_of_history(
    world: World, database_url: str
) -> None:
    cluster, (_, second) = await standing(world)
    for _ in range(3):
        await look(world, database_url)
    lose_itself(world, second)
    await look(world, database_url)
    periods = (await world.client.get(f"/v1/clusters/{cluster['id']}/history")).json()["items"]
    assert [(p["passes"], p["healthy"]) for p in periods] == [(1, False), (3, True)]


async def test_history_and_events_are_kept_for_the_set_time_only(
    world: World, database_url: str
) -> None:
    cluster, (_, second) = await standing(world)
    await look(world, database_url)
    async with await psycopg.AsyncConnection.connect(
        plain_url(database_url), autocommit=True
    ) as connection:
        await connection.execute("delete from cluster_event")
        await connection.execute(
            "insert into cluster_event values (%s, 99, now() - interval '91 days', 'x', '{}')",
            [cluster["id"]],
        )
        await connection.execute("update cluster_period set last_at = now() - interval '91 days'")
    lose_itself(world, second)
    await look(world, database_url)
    assert ("x", "") not in await told(world, cluster)
    periods = (await world.client.get(f"/v1/clusters/{cluster['id']}/history")).json()["items"]
    assert len(periods) == 1


async def test_a_cluster_may_have_its_own_interval_or_none(world: World, database_url: str) -> None:
    cluster, _ = await standing(world)
    path = f"/v1/clusters/{cluster['id']}/watching"
    read = await world.client.get(path)
    assert read.json()["effective_interval_seconds"] == DEFAULT
    assert (await world.client.patch(path, json={"interval_seconds": 0})).status_code == 428
    for seconds in (0, 900, 0):
        etag = {"If-Match": (await world.client.get(path)).headers["ETag"]}
        answer = await world.client.patch(path, json={"interval_seconds": seconds}, headers=etag)
        assert answer.status_code == 200, answer.text
        assert answer.json()["effective_interval_seconds"] == seconds
        again = await world.client.patch(path, json={"interval_seconds": 60}, headers=etag)
        assert again.status_code == 412
    assert await look(world, database_url) is None
    etag = {"If-Match": (await world.client.get(path)).headers["ETag"]}
    await world.client.patch(path, json={"interval_seconds": None}, headers=etag)
    assert await look(world, database_url) == cluster["id"]


async def test_a_worker_looks_at_clusters_that_are_due_until_it_is_stopped(
    world: World, database_url: str
) -> None:
    cluster, (_, second) = await standing(world)
    watching = replace(world.services.watching, pace=Pace(1e-9, 3600.0, 10.0))
    world.appliances.views[second] = NotObserved(
        second, world.clock.now(), "peer-slow", "slow", "wait"
    )
    running = asyncio.create_task(watching.run())
    async with asyncio.timeout(10):
        while not await told(world, cluster):  # noqa: ASYNC110 - it looks through the database
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()


async def test_a_fault_while_looking_gives_the_turn_back_and_is_tried_again(
    world: World, database_url: str
) -> None:
    cluster, _ = await standing(world)
    watching = world.services.watching
    await due(world, database_url)
    turn = await watching.watches.take_turn("one", default=DEFAULT, hold=60)
    assert turn is not None
    async with world.parts.store.transaction() as tx:
        await tx.clusters.record_members(cluster["id"], [], None)
        await tx.clusters.remove(cluster["id"], world.clock.now())
    await watching._look(turn)
    assert "not-found" in world.logs.getvalue()
    assert (await watching.watches.get(cluster["id"])).last_at is None


async def test_an_alarm_is_told_with_its_number(world: World, database_url: str) -> None:
    cluster, (first, _) = await standing(world)
    await look(world, database_url)
    alarm = read_alarm("", APART, "Unacknowledged")
    world.appliances.views[first] = member(first, 1, alarms=(alarm,))
    await look(world, database_url)
    items = (await world.client.get(f"/v1/clusters/{cluster['id']}/events")).json()["items"]
    (raised,) = [event for event in items if event["type"] == "cluster.alarm.raised"]
    assert raised["data"]["number"] == 20004
