"""What leads out is decided by what the peers say now, not by what the job believes it did."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.cluster import Cluster
from app.domain.job import JobState, StepRecord, StepState
from app.domain.observation import (
    Alarm,
    Clustering,
    ClusterPeer,
    NotObserved,
    Ntp,
    View,
)
from app.domain.peer import Peer
from app.domain.plan import Plan, PlannedStep, Stage
from app.procedures.recovery import Direction, Ended, Recovery, Standing, recover
from tests.api.observations import observation

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAME = "cluster1.example.com"
PEERS = {f"exp{n}": Peer(f"exp{n}", f"exp{n}", f"192.0.2.{10 + n}") for n in (1, 2, 3)}
TWO = ("192.0.2.11", "192.0.2.12")
THREE = (*TWO, "192.0.2.13")
SLUGS = {
    "add-peer",
    "align-clustering",
    "change-primary",
    "maintenance-mode",
    "remove-dead-peer",
    "restart-peer",
}


def says(peer_id: str, addresses: tuple[str, ...], **more: Any) -> View:
    peers = tuple(ClusterPeer(n, a, None) for n, a in enumerate(addresses, start=1))
    clustering = Clustering(NAME if addresses else "", 1 if addresses else None, peers, True, None)
    return replace(observation(), peer_id=peer_id, clustering=clustering, **more)


def silent(peer_id: str) -> View:
    return NotObserved(peer_id, NOW, "peer-unreachable", "no answer", "look")


def after_add_peer(
    views: dict[str, View], *, state: JobState = JobState.FAILED, acted: bool = True
) -> Recovery:
    steps = (
        PlannedStep("maintenance-on-exp3", "write-settings", "", ("ADD-X-20",), "exp3"),
        PlannedStep("clustering-exp1", "write-clustering", "", ("ADD-M-05",), "exp1"),
        PlannedStep("record-members", "record-members", "", ("ADD-F-09",), None, {
            "cluster_name": NAME, "members": ["exp1", "exp2", "exp3"],
            "addresses": list(THREE), "primary": "exp1", "primary_address": "192.0.2.11"}),
    )  # fmt: skip
    plan = Plan("plan-1", "cluster-1", "add-peer", {"peer_id": "exp3"}, (Stage("s", "S", steps),),
                (), (), (), {}, NOW, NOW, "tester")  # fmt: skip
    records = tuple(
        StepRecord(n, step.key, StepState.DONE if n == 1 else StepState.FAILED,
                   acted_at=NOW if acted else None)
        for n, step in enumerate(steps, start=1)
    )  # fmt: skip
    cluster = Cluster("cluster-1", NAME, (PEERS["exp1"], PEERS["exp2"]), "exp1")
    return recover(Ended("job-1", state, plan, records), cluster, PEERS, views, SLUGS)


def all_say(exp1: tuple[str, ...], exp2: tuple[str, ...], exp3: tuple[str, ...]) -> dict[str, View]:
    return {
        name: says(name, listed)
        for name, listed in (("exp1", exp1), ("exp2", exp2), ("exp3", exp3))
    }


@pytest.mark.parametrize(
    ("views", "standing"),
    [
        (all_say(TWO, TWO, ()), Standing.BEFORE),
        (all_say(THREE, THREE, THREE), Standing.AIMED),
        (all_say(THREE, TWO, ()), Standing.BETWEEN),
        ({name: silent(name) for name in PEERS}, Standing.UNKNOWN),
    ],
)
def test_the_peers_answers_decide_where_the_cluster_stands(views, standing):
    assert after_add_peer(views).standing is standing


def test_a_failed_job_whose_peers_all_answer_is_retried_first_and_can_be_undone():
    found = after_add_peer(all_say(THREE, TWO, ()))
    first, second = found.ways[:2]
    assert (first.request.method, first.request.path) == ("POST", "/v1/jobs/job-1/retry")
    assert (second.direction, second.procedure) == (Direction.BACK, "align-clustering")
    (exp1,) = [peer for peer in found.peers if peer.peer_id == "exp1"]
    assert exp1.differs_from_before == (
        "peer list is 192.0.2.11, 192.0.2.12, 192.0.2.13; should be 192.0.2.11, 192.0.2.12",
    )
    assert exp1.differs_from_aimed == ()


def test_a_peer_that_never_came_back_is_taken_out_of_the_members_lists():
    found = after_add_peer({**all_say(THREE, TWO, ()), "exp3": silent("exp3")})
    assert [way.procedure for way in found.ways] == ["align-clustering", ""]
    assert "exp3" in found.summary


def test_a_dead_member_can_be_removed_and_a_dead_primary_be_replaced():
    found = after_add_peer({**all_say(TWO, TWO, ()), "exp2": silent("exp2")})
    assert [way.procedure for way in found.ways][:1] == ["remove-dead-peer"]
    found = after_add_peer({**all_say(TWO, TWO, ()), "exp1": silent("exp1")})
    (way,) = [way for way in found.ways if way.procedure == "remove-dead-peer"]
    assert way.request.body == {"peer_ids": ["exp1"], "new_primary_peer_id": "exp2"}


def test_a_peer_the_job_left_in_maintenance_mode_is_taken_out_of_it():
    views = all_say(TWO, TWO, ()) | {"exp3": says("exp3", (), maintenance_mode=True)}
    found = after_add_peer(views, state=JobState.CANCELLED)
    assert [way.procedure for way in found.ways] == ["maintenance-mode", "add-peer"]
    untouched = after_add_peer(views, state=JobState.CANCELLED, acted=False)
    assert [way.procedure for way in untouched.ways] == ["add-peer"]


def after_align(views: dict[str, View], **parameters: Any) -> Recovery:
    """An alignment was cancelled at its first gate: the members are as wrong as they were."""
    step = PlannedStep("attest-registered-is-right", "attest", "", ("ALM-19",), None)
    plan = Plan("plan-1", "cluster-1", "align-clustering", parameters, (Stage("s", "S", (step,)),),
                (), (), (), {}, NOW, NOW, "tester")  # fmt: skip
    cluster = Cluster("cluster-1", NAME, tuple(PEERS.values()), "exp1")
    records = (StepRecord(1, step.key, StepState.PENDING),)
    return recover(Ended("job-1", JobState.CANCELLED, plan, records), cluster, PEERS, views, SLUGS)


def test_an_alignment_that_was_cancelled_is_offered_again_with_what_it_was_asked_for():
    views = all_say(THREE, TWO, THREE)
    asked = {"enter_pre_shared_key": True, "ntp_servers": ["192.0.2.123"]}
    (way,) = after_align(views, **asked).ways
    assert (way.procedure, dict(way.request.body)) == ("align-clustering", asked)
    (way,) = after_align(views).ways
    assert way.request.body == {}


def test_who_was_left_out_of_an_alignment_before_and_answers_now_is_aligned_too():
    (way,) = after_align(all_say(THREE, TWO, THREE), out_of_service_peer_ids=["exp2"]).ways
    assert way.request.body == {}
    (way, _) = after_align({**all_say(THREE, TWO, THREE), "exp3": silent("exp3")}).ways
    assert way.request.body == {"out_of_service_peer_ids": ["exp3"]}


def test_a_member_without_the_right_time_gets_the_time_servers_of_one_that_has_it():
    """Alignment is refused while a member's time is wrong (ALM-17)."""
    lost = Ntp((), "Not synchronized")
    views = {**all_say(THREE, TWO, THREE), "exp3": says("exp3", THREE, ntp=lost)}
    (way,) = after_align(views).ways
    assert way.request.body == {"ntp_servers": list(observation().ntp.servers)}
    assert way.request.body["ntp_servers"]


def test_a_member_whose_settings_are_right_and_not_in_force_is_restarted():
    demand = Alarm("uuid", "Restart required", "Cluster configuration has been changed", False)
    views = {**all_say(THREE, THREE, THREE), "exp2": says("exp2", THREE, alarms=(demand,))}
    first = after_align(views).ways[0]
    assert (first.procedure, dict(first.request.body)) == ("restart-peer", {"peer_id": "exp2"})


def test_only_procedures_on_offer_are_offered():
    plan = after_add_peer(all_say(THREE, TWO, ()))
    assert {way.procedure for way in plan.ways} <= SLUGS | {""}
