"""A cluster's pre-shared key is renewed once, however many ask, and the old one is kept."""

import asyncio

from tests.api.conftest import World


async def test_a_key_is_renewed_once_and_the_old_credential_stays(world: World) -> None:
    cluster = await world.cluster()
    parts = world.parts
    registry = await world.registry(cluster)
    assert await registry.pre_shared_key_id() is None
    first = await registry.pre_shared_key()
    old = await registry.pre_shared_key_id()
    await asyncio.gather(*(registry.renew_pre_shared_key(old) for _ in range(5)))
    new = await registry.pre_shared_key_id()
    second = await registry.pre_shared_key()
    assert new != old
    assert second != first
    assert parts.redactor.text(f"said {second} aloud") == "said [redacted] aloud"
    await registry.renew_pre_shared_key(old)
    assert await registry.pre_shared_key_id() == new
    assert (await world.client.get(f"/v1/credentials/{old}")).status_code == 200
    assert (await world.client.get(f"/v1/credentials/{new}")).status_code == 200
