"""Every procedure over the transports that are shipped: once over SSH, once over HTTPS alone.

The same rehearsals, and the same statements about the end, as over the transport in process.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.domain.job import JobState
from app.domain.observation import Observation
from app.guide.scenarios import REHEARSED, Rehearsed
from app.procedures.registry import PROCEDURES
from tests.matrix.run import play
from tests.sockets.stage import SocketStage, Way, on_stage
from tests.support.clusters import assert_alone, assert_cluster
from tests.unit.procedures.test_neighbours import zone_at
from tests.unit.procedures.test_recover_database import well as database_well
from tests.unit.procedures.test_rotate_pre_shared_key import well as well_with_key
from tests.unit.procedures.test_troubleshooting import well_again
from tests.unit.procedures.test_upgrade import all_well as all_upgraded

pytestmark = pytest.mark.sockets

NEEDS_ROOT = {"recover-removed-peer"}
"""What the admin command line and the web pages cannot do: the factory reset."""

EndState = Callable[[SocketStage], Awaitable[None]]


def cluster(*members: str, primary: str = "exp1", alone: tuple[str, ...] = ()) -> EndState:
    """These are the cluster, also in the words that they say over the wire; those have left it."""

    async def end(stage: SocketStage) -> None:
        assert_cluster(stage, list(members), primary)
        for name in members:
            view = await stage.observe(name)
            assert isinstance(view, Observation)
            assert view.clustering.primary_address == stage.peers[primary].address
            assert view.clustering.database_status == "Active"
            assert view.alarms == ()
        for name in alone:
            assert_alone(stage.fleet[name], f"{name}.example.com")

    return end


async def nobody(stage: SocketStage) -> None:
    for name in [f"exp{n}" for n in range(1, stage.rehearsed.members + 1)]:
        assert_alone(stage.fleet[name], f"{name}.example.com")
    assert stage.cluster.members == ()


async def backed_up(stage: SocketStage) -> None:
    kept = stage.backups[stage.job_id].kept
    assert {owner for owner, _, _ in kept.values()} == {"exp1", "exp2"}
    assert all(data for _, data, _ in kept.values())
    assert_cluster(stage, ["exp1", "exp2"], "exp1")


async def restarted(stage: SocketStage) -> None:
    assert [device.restarts for device in stage.fleet] == [0, 1, 0]
    assert_cluster(stage, ["exp1", "exp2"], "exp1")


async def in_maintenance(stage: SocketStage) -> None:
    view = await stage.observe("exp2")
    assert isinstance(view, Observation)
    assert view.maintenance_mode is True
    assert view.calls == 0
    assert not stage.fleet["exp1"].maintenance


async def reset(stage: SocketStage) -> None:
    unit = stage.fleet["exp3"]
    assert (unit.cluster.saved().listed, unit.cluster.key) == ((), "")
    view = await stage.observe("exp3")
    assert isinstance(view, Observation)
    assert view.clustering.cluster_name == ""
    assert view.at_defaults
    assert view.default_links is not False
    assert_cluster(stage, ["exp1", "exp2"], "exp1")


async def new_key(stage: SocketStage) -> None:
    assert len(stage.registry.keys) == 2
    await well_with_key(stage, stage.registry.keys[-1])


async def zone_follows(stage: SocketStage) -> None:
    assert await zone_at(stage, "exp3") == ("192.0.2.11", "192.0.2.12")


async def database_sound(stage: SocketStage) -> None:
    await database_well(stage)


async def without_the_old_primary(stage: SocketStage) -> None:
    """Who answers has another primary; the dead one stays listed until it is removed."""
    for name in ("exp2", "exp3"):
        view = await stage.observe(name)
        assert isinstance(view, Observation)
        assert view.clustering.primary_address == stage.peers["exp2"].address
        assert stage.peers["exp1"].address in view.clustering.addresses
    assert stage.cluster.primary_id == "exp2"
    assert stage.witness.disagreements("exp2", "exp3") == []


ENDS: dict[str, EndState] = {
    "create-cluster": cluster("exp1"),
    "add-peer": cluster("exp1", "exp2", "exp3"),
    "backup": backed_up,
    "restart-peer": restarted,
    "maintenance-mode, on": in_maintenance,
    "maintenance-mode, off": cluster("exp1", "exp2"),
    "remove-peer": cluster("exp1", "exp2", alone=("exp3",)),
    "remove-peer, primary": cluster("exp2", "exp3", primary="exp2", alone=("exp1",)),
    "remove-dead-peer": cluster("exp1", "exp2"),
    "remove-dead-peer, primary": cluster("exp2", "exp3", primary="exp2"),
    "disband": nobody,
    "change-primary": cluster("exp1", "exp2", "exp3", primary="exp2"),
    "change-primary, dead": without_the_old_primary,
    "change-peer-address": cluster("exp1", "exp2", "exp3"),
    "replace-peer": cluster("exp1", "exp3", alone=("exp2",)),
    "replace-peer, dead": cluster("exp1", "exp3"),
    "recover-removed-peer": reset,
    "upgrade": all_upgraded,
    "force-config-update": cluster("exp1", "exp2"),
    "align-clustering": well_again,
    "rotate-pre-shared-key": new_key,
    "update-neighbours": zone_follows,
    "recover-database": database_sound,
    "recover-database, purged": database_sound,
}


def by_hand(stage: SocketStage) -> None:
    """What people do behind a gate is done when its turn comes; a gate that is not there is not."""
    unit = list(stage.fleet)[-1]
    kept = frozenset({"option-keys", "ip", "passwords"})
    stage.when_step_starts("attest-factory-reset-exp3", lambda: unit.factory_reset(keep=kept))
    stage.when_step_starts("attest-purged", unit.purge_cluster_database)


def way_of(rehearsed: Rehearsed, way: Way) -> Way:
    as_root = way is Way.SSH and rehearsed.procedure in NEEDS_ROOT
    return Way.SSH_AS_ROOT if as_root else way


def test_every_rehearsal_has_an_end_and_every_procedure_a_rehearsal():
    assert set(ENDS) == {rehearsed.title for rehearsed in REHEARSED}
    assert {rehearsed.procedure for rehearsed in REHEARSED} == set(PROCEDURES)


@pytest.mark.parametrize("way", [Way.SSH, Way.HTTP])
@pytest.mark.parametrize("rehearsed", REHEARSED, ids=lambda rehearsed: rehearsed.title)
async def test_a_procedure_ends_as_the_guide_wants_it_over(rehearsed, way):
    async with on_stage(rehearsed, way_of(rehearsed, way)) as stage:
        by_hand(stage)
        result = await play(stage, None)
        assert (result.violations, result.state) == ([], JobState.SUCCEEDED)
        await ENDS[rehearsed.title](stage)
        assert stage.witness.violations == []


async def test_software_is_installed_by_root_over_ssh_where_root_is_granted():
    """Nobody touches the web pages: the image goes up by SFTP, and root's installer takes it."""
    (upgrade,) = (rehearsed for rehearsed in REHEARSED if rehearsed.procedure == "upgrade")
    async with on_stage(upgrade, Way.SSH_AS_ROOT) as stage:
        started: list[str] = []
        for device in stage.fleet:
            by_root = device.start_installing

            def noted(
                data: bytes, mark: Any, *, name: str = device.name, go: Any = by_root
            ) -> None:
                started.append(name)
                go(data, mark)

            device.start_installing = noted  # type: ignore[method-assign]
        result = await play(stage, None)
        assert (result.violations, result.state) == ([], JobState.SUCCEEDED)
        assert started == ["exp1", "exp2"]
        await all_upgraded(stage)
