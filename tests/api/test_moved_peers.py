"""A peer whose LAN 1 address a job has changed: the registry and every session follow it."""

from tests.api.conftest import World, peer_body
from transports.mock.forms.certificate import self_signed


async def test_a_new_address_is_recorded_and_only_endpoints_at_the_old_one_follow(
    world: World,
) -> None:
    peer = await world.peer()
    cluster = await world.cluster()
    told: list[str] = []

    async def moved(peer_id: str) -> None:
        told.append(peer_id)

    registry = await world.registry(cluster, moved)
    body = peer_body(peer["endpoints"][0]["credential_id"])
    second = {**body["endpoints"][0], "transport": "http", "host": "198.51.100.99", "port": 443}
    body["endpoints"].append(
        {**second, "trust": {"certificate": self_signed("exp1").certificate_pem}}
    )
    url = f"/v1/peers/{peer['id']}"
    changed = await world.client.patch(
        url, json={"endpoints": body["endpoints"]}, headers={"If-Match": "*"}
    )
    assert changed.status_code == 200, changed.text
    await registry.record_address(peer["id"], "192.0.2.77")
    assert (await registry.peer(peer["id"])).address == "192.0.2.77"
    read = (await world.client.get(url)).json()
    assert read["address"] == "192.0.2.77"
    assert [endpoint["host"] for endpoint in read["endpoints"]] == ["192.0.2.77", "198.51.100.99"]
    assert read["endpoints"][0]["trust"] == peer["endpoints"][0]["trust"]
    assert told == [peer["id"]]


async def test_a_session_with_a_peer_that_moved_is_opened_anew(world: World) -> None:
    """Without this a job would go on looking for the peer where it no longer is."""
    from app.services.appliances import Sessions
    from transports.base import Transport

    opened: list[str] = []

    async def open_peer(peer_id: str) -> list[Transport]:
        opened.append(peer_id)
        return []

    sessions = Sessions(open_peer, world.parts.clock)
    first = await sessions.appliance("peer_1")
    assert await sessions.appliance("peer_1") is first
    await sessions.forget("peer_1")
    assert await sessions.appliance("peer_1") is not first
    assert opened == ["peer_1", "peer_1"]
