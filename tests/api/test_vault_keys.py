"""A new key-encryption key: everything sealed moves to it while the service goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from app.security.key_file import KeyFile
from app.security.signing import genuine
from app.security.vault import Vault, VaultError, load_vault
from app.services.problems import Problem
from app.services.records import Credential, CredentialKind
from app.services.vault_keys import VaultKeysService
from app.storage import sealed
from app.storage.database import plain_url
from app.storage.sealed import SealedRows
from tests.api.conftest import World
from tests.api.test_reach import furnish
from tests.support.archive_suite import produce

pytestmark = pytest.mark.postgres

AUTH = {"kind": "header", "header": "X-Token", "secret": "the receiver's word"}


@pytest.fixture
def command(world: World) -> VaultKeysService:
    """What `clusterway vault` works with: its own reading of the file, the same database."""
    path = world.app.state.settings.keys
    return VaultKeysService(world.parts.store, KeyFile(path), load_vault(path))


async def everything(world: World) -> Mapping[str, str]:
    """One of everything that is sealed."""
    made = await furnish(world, "ids", "own", 21)
    await world.client.patch(
        f"/v1/webhooks/{made['webhook_id']}", json={"auth": AUTH}, headers={"If-Match": "*"}
    )
    assert (await world.client.get("/v1/evidence/keys")).status_code == 200
    return made


async def opens(world: World, made: Mapping[str, str]) -> None:
    """The running service opens all of it, and so does one that starts now."""
    for vault in (world.parts.vault, load_vault(world.app.state.settings.keys)):
        async with world.parts.store.transaction() as tx:
            credential = await tx.credentials.get(made["credential_id"])
            hook = await tx.subscriptions.get(made["webhook_id"])
        assert credential is not None
        assert hook is not None
        assert (
            vault.open(credential.sealed, Credential.context(credential.id)) == b"canary-own-Pa55"
        )
        for secret in hook.secrets:
            assert vault.open(secret.sealed, secret.context).startswith(b"whsec_")
        assert hook.authorization.sealed is not None
        context = hook.authorization.context(hook.id)
        assert vault.open(hook.authorization.sealed, context) == AUTH["secret"].encode()
        for key in await world.parts.evidence.keys():
            assert genuine(key, vault)
    pieces = [piece async for piece in world.parts.shelf.read(made["backup_id"])]
    assert pieces == [b"abc"]


def under(counts: Mapping[str, Mapping[str, int]], key: str) -> dict[str, int]:
    return {kind: keys.get(key, 0) for kind, keys in counts.items()}


async def test_everything_moves_while_the_service_runs_and_the_old_key_goes(
    world: World, command: VaultKeysService
) -> None:
    made = await everything(world)
    before = await command.counts()
    assert all(count for count in under(before, "k1").values()), before
    fingerprint = (await world.client.get(f"/v1/credentials/{made['credential_id']}")).json()
    new = await command.add()
    await opens(world, made)
    with pytest.raises(Problem, match="run `vault rewrap` first"):
        await command.retire("k1")
    done = await command.rewrap()
    assert (done.moved, done.left) == (under(before, "k1"), {})
    assert under(await command.counts(), new) == under(before, "k1")
    await opens(world, made)
    assert (await command.rewrap()).moved == dict.fromkeys(before, 0)
    await command.retire("k1")
    await opens(world, made)
    # Version, fingerprint and time of rotation stay: a password that was declined stays declined.
    after = (await world.client.get(f"/v1/credentials/{made['credential_id']}")).json()
    assert after == fingerprint
    trail = await world.client.get("/v1/audit", params={"limit": 200})
    actions = [item["action"] for item in trail.json()["items"]]
    assert {"addVaultKey", "rewrapVault", "retireVaultKey"} <= set(actions)
    assert (await world.credential("later"))["version"] == 1
    assert under(await command.counts(), new)["credentials"] == 2


async def test_an_interrupted_rewrap_leaves_both_keys_good_and_is_finished_by_the_next(
    world: World, command: VaultKeysService, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await everything(world)
    monkeypatch.setattr(sealed._COLUMNS["credentials"], "batch", 10)
    for number in range(25):
        await world.credential(f"n{number}", f"secret {number}")
    new = await command.add()
    whole, batches = SealedRows.move, 0

    async def dying(*given: Any) -> Any:
        nonlocal batches
        moved = await whole(*given)
        batches += 1
        if batches == 2:
            raise KeyboardInterrupt  # inside the transaction: this batch is taken back
        return moved

    monkeypatch.setattr(SealedRows, "move", dying)
    with pytest.raises(KeyboardInterrupt):
        await command.rewrap()
    monkeypatch.setattr(SealedRows, "move", whole)
    half = (await command.counts())["credentials"]
    assert half == {"k1": 16, new: 10}
    await opens(world, made)
    assert (await command.rewrap()).left == {}
    assert (await command.counts())["credentials"] == {new: 26}
    await opens(world, made)


async def test_a_secret_written_the_old_way_meanwhile_is_moved_too(
    world: World, command: VaultKeysService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a process that has not yet seen the new file: a pass later it is found."""
    behind = Vault(KeyFile(world.app.state.settings.keys).read())
    await world.credential()
    new = await command.add()
    whole, written = SealedRows.move, False

    async def racing(rows: SealedRows, kind: str, *given: Any) -> Any:
        nonlocal written
        moved = await whole(rows, kind, *given)
        if kind == "evidence keys" and not written:
            written = True
            late = replace(world.services.credentials, vault=behind)
            await late.create("late", CredentialKind.PASSWORD, "u", "late secret", None)
        return moved

    monkeypatch.setattr(SealedRows, "move", racing)
    done = await command.rewrap()
    assert (done.moved["credentials"], done.left) == (2, {})
    assert (await command.counts())["credentials"] == {new: 2}


async def test_what_no_key_opens_is_said_and_holds_up_nothing(
    world: World, command: VaultKeysService, database_url: str
) -> None:
    lost = await world.credential("lost")
    await world.credential("good", "another secret")
    stranger = Vault({"gone": b"g" * 32}).seal(b"x", Credential.context(lost["id"]))
    async with await psycopg.AsyncConnection.connect(plain_url(database_url)) as connection:
        await connection.execute(
            "update credential set sealed = %s where id = %s", [stranger, lost["id"]]
        )
    new = await command.add()
    done = await command.rewrap()
    assert done.moved["credentials"] == 1
    assert done.left == {"credentials": {"gone": 1}}
    assert (await command.counts())["credentials"] == {new: 1, "gone": 1}
    with pytest.raises(VaultError, match="no key"):
        await command.retire("other")


async def test_a_backup_of_many_pieces_moves_piece_by_piece(
    world: World, command: VaultKeysService, database_url: str
) -> None:
    made = await furnish(world, "ids", "own", 21)
    content = bytes(range(256)) * 1024 * 40
    await world.parts.shelf.of(made["job_id"]).receive("large", made["peer_id"], produce(content))
    (backup,) = [b for b in await world.parts.shelf.of_job(made["job_id"]) if b.size > 3]
    new = await command.add()
    assert (await command.rewrap()).moved["backup pieces"] == 41
    assert set((await command.counts())["backup pieces"]) == {new}
    assert b"".join([piece async for piece in world.parts.shelf.read(backup.id)]) == content
