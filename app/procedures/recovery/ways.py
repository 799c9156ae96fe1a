"""The ways out of a case, each found by a function of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from app.domain.job import JobState
from app.domain.observation import Observation
from app.procedures.recovery.case import Case
from app.procedures.recovery.standing import Standing
from app.procedures.recovery.way_out import Direction, Request, WayOut
from app.procedures.way_back import way_back


def _retry(case: Case) -> Iterator[WayOut]:
    """Go on with the job itself, where it failed and everybody it needs answers."""
    if case.job.state is JobState.FAILED and not case.needed & {p.peer_id for p in case.missing}:
        yield _retry_way(
            case, "Every peer the job still needs answers; a step looks before it acts again."
        )


def _retry_later(case: Case) -> Iterator[WayOut]:
    if case.job.state is JobState.FAILED and case.needed & {p.peer_id for p in case.missing}:
        names = ", ".join(peer.name for peer in case.missing)
        yield _retry_way(case, f"Once {names} answers again: the job goes on where it stopped.")


def _retry_way(case: Case, reason: str) -> WayOut:
    over = case.job.over
    step = next((record.key for record in case.job.steps if record.key not in over), "")
    cites = next((s.requirements for s in case.job.plan.steps if s.key == step), ())
    request = Request("POST", f"/v1/jobs/{case.job.job_id}/retry", {})
    title = f"Retry the job at {step}" if step else "Retry the job"
    return WayOut(Direction.FORWARD, "", title, reason, cites, request)


def _dead_member(case: Case) -> Iterator[WayOut]:
    """Members are gone: the cluster without them, under another primary where it was the primary.

    All of them at once: while one is still listed the others cannot agree.
    """
    gone, there = case.gone, case.members
    if not gone or not there:
        return
    names = ", ".join(peer.name for peer in gone)
    body: dict[str, Any] = {"peer_ids": [peer.peer_id for peer in gone]}
    title = f"Remove {names} from the cluster"
    if case.cluster.primary_id in body["peer_ids"]:
        body["new_primary_peer_id"] = there[0].peer_id
        title = f"Make {there[0].name} the primary and remove {names} from the cluster"
    yield _procedure(
        case,
        Direction.BACK,
        "remove-dead-peer",
        title,
        f"{names} does not answer; if that is for good, the cluster can do without it.",
        "RMD-01 RMD-08",
        body,
    )


def _align(case: Case) -> Iterator[WayOut]:
    """Members differ from the registry: bring their clustering pages back to it.

    Without who does not answer now, whatever an earlier alignment left out.
    """
    wrong = [peer for peer in case.members if peer.differs_from_before]
    if not wrong:
        return
    names = ", ".join(peer.name for peer in wrong)
    gone = [peer.peer_id for peer in case.gone]
    body: dict[str, Any] = {"out_of_service_peer_ids": gone} if gone else {}
    if case.cluster.primary_id in gone:
        body["new_primary_peer_id"] = case.members[0].peer_id
    if _asked_of_align(case, "enter_pre_shared_key") or any(map(_keyless, _seen(case))):
        body["enter_pre_shared_key"] = True
    servers = _asked_of_align(case, "ntp_servers") or _time_servers(_seen(case))
    if servers:
        body["ntp_servers"] = list(servers)
    yield _procedure(
        case,
        Direction.BACK,
        "align-clustering",
        f"Bring System > Clustering of {names} back to the registered cluster"
        + (", without who does not answer" if gone else ""),
        "; ".join(f"{peer.name}: {what}" for peer in wrong for what in peer.differs_from_before),
        "ALM-19 ALM-20",
        body,
    )


def _asked_of_align(case: Case, parameter: str) -> Any:
    """What the job itself was asked to do, where it was such an alignment."""
    plan = case.job.plan
    return plan.parameters.get(parameter) if plan.procedure == "align-clustering" else None


def _seen(case: Case) -> list[Observation]:
    views = [case.views.get(peer.peer_id) for peer in case.members]
    return [view for view in views if isinstance(view, Observation)]


def _keyless(seen: Observation) -> bool:
    return seen.clustering.pre_shared_key_set is False


def _time_servers(seen: Sequence[Observation]) -> tuple[str, ...]:
    """The NTP servers of a member whose time is right, where that of another is not (ALM-17)."""
    right = [view for view in seen if view.ntp.synchronised]
    return right[0].ntp.servers if right and len(right) < len(seen) else ()


def _half_added(case: Case) -> Iterator[WayOut]:
    """A peer that is no member lists the cluster's peers: take the cluster out of it again."""
    for peer in case.peers:
        if peer.reached and not case.is_member(peer) and peer.differs_from_before:
            yield _procedure(
                case,
                Direction.BACK,
                "recover-removed-peer",
                f"Bring {peer.name} back to a stand-alone Expressway",
                f"{peer.name} is no member and {peer.differs_from_before[0]}.",
                "RMD-R-01",
                {"peer_id": peer.peer_id},
            )


def _restart(case: Case) -> Iterator[WayOut]:
    """A member's settings are right and not yet in force."""
    for peer in case.members:
        seen = case.views.get(peer.peer_id)
        if isinstance(seen, Observation) and seen.restart_required and not peer.differs_from_before:
            yield _procedure(
                case,
                Direction.FORWARD,
                "restart-peer",
                f"Restart {peer.name}",
                f"An alarm of {peer.name} demands a restart; what was set on it is not in force.",
                "ALM-20",
                {"peer_id": peer.peer_id},
            )


def _maintenance(case: Case) -> Iterator[WayOut]:
    for peer in case.peers:
        if any("maintenance mode" in what for what in peer.left_over):
            yield _procedure(
                case,
                Direction.BACK,
                "maintenance-mode",
                f"Set maintenance mode of {peer.name} to Off",
                f"{peer.name} takes no new calls.",
                "NEW-F-04",
                {"peer_ids": [peer.peer_id], "enabled": False},
            )


def _again(case: Case) -> Iterator[WayOut]:
    """The same procedure once more, planned from what is so now."""
    if case.standing is Standing.BEFORE and not case.recorded:
        plan = case.job.plan
        yield _procedure(
            case,
            Direction.FORWARD,
            plan.procedure,
            "Plan and run the same procedure again",
            "The cluster is as before the job; a new plan starts from what is so now.",
            "",
            plan.parameters,
        )


def _rest(case: Case) -> Iterator[WayOut]:
    """A composite was left between its parts: bring in who was to be a member in the end."""
    if case.standing is not Standing.BEFORE or not case.recorded:
        return
    for peer in case.peers:
        if peer.reached and peer.peer_id in case.aimed.members and not case.is_member(peer):
            yield _procedure(
                case,
                Direction.FORWARD,
                "add-peer",
                f"Add {peer.name}, the part of the job that is still to be done",
                f"{peer.name} is to be a member and is not one yet.",
                "ADD-01",
                {"peer_id": peer.peer_id},
            )


_FOUNDED_ON = {
    "add-peer": "ADD-01",
    "change-peer-address": "CIP-01",
    "change-primary": "CHM-01",
    "create-cluster": "NEW-01",
    "disband": "DIS-01",
    "recover-removed-peer": "RMD-R-01",
    "remove-dead-peer": "RMD-01",
    "remove-peer": "RML-01",
    "replace-peer": "REP-01",
}
"""The requirement that each procedure which undoes another begins with."""


def _undo(case: Case) -> Iterator[WayOut]:
    """The cluster is whole as the job recorded it: the way back that its plan gave for there."""
    if case.standing is not Standing.BEFORE or not case.recorded:
        return
    done = [step for step in case.job.plan.steps if step.key in case.job.over]
    way = way_back(case.job.plan, done)
    silent = {peer.peer_id for peer in case.missing}
    if way.parameters is None or way.parameters.get("peer_id") in silent:
        return
    yield _procedure(
        case,
        Direction.BACK,
        way.procedure,
        "Undo what the job has recorded",
        f"The cluster is as the job recorded it, and may stay so. To go back: {way.words}",
        _FOUNDED_ON[way.procedure],
        way.parameters,
    )


WAYS: tuple[Callable[[Case], Iterator[WayOut]], ...] = (
    _retry,
    _align,
    _dead_member,
    _half_added,
    _restart,
    _maintenance,
    _again,
    _rest,
    _undo,
    _retry_later,
)
"""In the order of preference."""


def ways_out(case: Case, slugs: Collection[str]) -> tuple[WayOut, ...]:
    """Every way out of the case, best first; `slugs` are the procedures on offer."""
    seen: dict[str, WayOut] = {}
    for find in WAYS:
        for way in find(case):
            if not way.procedure or way.procedure in slugs:
                seen.setdefault(f"{way.request.path} {sorted(way.request.body.items())!r}", way)
    return tuple(seen.values())


def _procedure(  # noqa: PLR0917 - private, and named like the fields it fills
    case: Case,
    direction: Direction,
    slug: str,
    title: str,
    reason: str,
    requirements: str,
    body: Mapping[str, Any] | None = None,
) -> WayOut:
    path = f"/v1/clusters/{case.job.plan.cluster_id}/procedures/{slug}"
    request = Request("POST", path, dict(body or {}))
    return WayOut(direction, slug, title, reason, tuple(requirements.split()), request)
