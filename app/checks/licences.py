"""Call licences: counted for the cluster, two weeks of grace when a peer is lost (guide p.4).

Call licences of any peer serve all peers (INT-11). What a single appliance can carry at most is not
in the guide and not in the status, so a pool never proves that a peer can take a call (INT-14).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from app.appliance.alarm_catalogue import kind_of_alarm
from app.checks.findings import blocker, unknown, warning
from app.domain.cluster import Cluster
from app.domain.finding import Finding
from app.domain.observation import Observation, View

GRACE = timedelta(weeks=2)
"""How long the licences of a lost peer stay usable, from the loss of contact (INT-12)."""
CALL_KINDS = ("NonTraversalCalls", "TraversalCalls")
LOST_PEER_ALARM = "licences-of-lost-peer"
"""Alarms 30012 to 30017, which the status tells by their words only (device facts 9)."""
NEARLY_ALL = 0.9


def grace(
    cluster: Cluster,
    views: Mapping[str, View],
    lost_since: Mapping[str, datetime],
    now: datetime,
) -> Iterator[Finding]:
    """The two weeks of each lost member, counted down (INT-12, INT-13).

    A member is lost when no other member has it as joined; one that only this service cannot reach
    is not. Without the moment of the loss the days left are unknown.
    """
    for member in cluster.members:
        if isinstance(views.get(member.id), Observation) or not _missed(member.address, views):
            continue
        since = lost_since.get(member.id)
        if since is None:
            yield unknown(
                "licence-grace-days",
                f"{member.name} is lost to its cluster, and it is not on record since when.",
                f"{member.name} was lost less than two weeks ago; until then the cluster keeps its"
                " call licences.",
                "INT-12 INT-13",
                peer_id=member.id,
            )
            continue
        left = since + GRACE - now
        evidence = {"lost_since": since.isoformat(), "until": (since + GRACE).isoformat()}
        if left <= timedelta(0):
            yield blocker(
                "licence-grace-over",
                f"The two weeks for the call licences of {member.name} are over.",
                "Bring the peer back, or remove it (remove-dead-peer) and install its call licences"
                " on another peer.",
                "INT-12 INT-13",
                peer_id=member.id,
                evidence=evidence,
            )
        else:
            yield warning(
                "licence-grace-running",
                f"The call licences of {member.name} stay usable for {left.days} more day(s).",
                "Bring the peer back, or remove it (remove-dead-peer) and install its call licences"
                " on another peer, before the two weeks are over.",
                "INT-12 INT-13",
                peer_id=member.id,
                evidence={**evidence, "days_left": str(left.days)},
            )


def of_lost_peers(seen: Observation) -> Iterator[Finding]:
    """A peer that says it is using the licences of a lost one (INT-12)."""
    for alarm in seen.alarms:
        kind = kind_of_alarm(alarm)
        if kind is not None and kind.key == LOST_PEER_ALARM:
            yield warning(
                "licences-of-lost-peer",
                f"{seen.label} uses licences of a lost cluster peer: {alarm.description}",
                "Bring the lost peer back within two weeks, or replace its licences.",
                "INT-12 INT-13",
                peer_id=seen.peer_id,
                evidence={"alarm": f"{alarm.title} - {alarm.description}"},
            )


def capacity(peers: Sequence[Observation]) -> Iterator[Finding]:
    """Calls in progress against the pool of call licences (INT-11, INT-14)."""
    counts = [
        int(text)
        for seen in peers
        for kind in CALL_KINDS
        if (text := seen.features.get(kind, "")).isdigit()
    ]
    calls = [seen.calls for seen in peers if seen.calls is not None]
    pool, live = sum(counts), sum(calls)
    if not pool or len(calls) < len(peers):
        yield unknown(
            "licence-capacity",
            "The peers show no call licences, or not all of them show their calls.",
            "The usage page of the cluster shows free call licences, and no peer carries more calls"
            " than its platform can.",
            "INT-11 INT-14",
        )
    elif live >= pool * NEARLY_ALL:
        yield warning(
            "licences-nearly-used",
            f"{live} of {pool} call licences of the cluster are in use.",
            "Add call licences to any peer; each serves all of them.",
            "INT-11 INT-14",
            evidence={"calls": str(live), "licences": str(pool)},
        )


def calls_of_a_peer(seen: Observation) -> Iterator[Finding]:
    """No peer carries more than its platform can, however many licences there are (INT-14).

    Neither the guide nor the status has the limit of a platform, so only an idle peer is settled.
    """
    if seen.calls != 0:
        shown = "an unknown number of" if seen.calls is None else str(seen.calls)
        yield unknown(
            "peer-capacity",
            f"{seen.label} carries {shown} call(s); what its platform can carry is not shown.",
            f"{seen.label} ({seen.hardware or 'platform not named'}) carries no more calls than its"
            " platform can.",
            "INT-14",
            peer_id=seen.peer_id,
        )


def _missed(address: str, views: Mapping[str, View]) -> bool:
    """Whether no peer that answers shows this one as joined; nobody answering counts too."""
    words = [
        (view.clustering.status_of(address) or "").casefold()
        for view in views.values()
        if isinstance(view, Observation) and address in view.clustering.addresses
    ]
    return "active" not in words
