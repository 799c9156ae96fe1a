"""Whether a cluster may be upgraded, and from where to where (guide p.5-8)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from app.appliance.alarms import is_cluster_alarm
from app.appliance.profiles import profile_for
from app.checks.findings import blocker, warning
from app.domain.finding import Finding
from app.domain.observation import Alarm, Observation

PASSING = frozenset({"maintenance mode", "restart required"})
"""Alarms of a peer that this very job clears, because it restarts the peer."""


def release(version: str) -> tuple[int, ...]:
    """`X8.2.1` as (8, 2, 1); empty where it cannot be read."""
    found = re.match(r"X(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def path_covered(seen: Observation, to_version: str) -> Iterator[Finding]:
    """From X8.1 or later to X8.2, and never down (UPG-01, UPG-M-04)."""
    if not profile_for(to_version).procedures_apply:
        yield blocker(
            "upgrade-path-not-covered",
            f"The X8.2 guide does not cover an upgrade to {to_version}.",
            "Upgrade to X8.2, or use the guide of the other version.",
            "UPG-01",
            peer_id=seen.peer_id,
        )
    if release(seen.software_version) > release(to_version):
        yield blocker(
            "downgrade",
            f"{seen.label} runs {seen.software_version}, which is later than {to_version}.",
            "A downgrade restores a backup taken on the earlier release; it is not an upgrade.",
            "UPG-M-04 UPG-N-05",
            peer_id=seen.peer_id,
        )


def no_open_alarms(
    seen: Observation, *, under_way: bool, is_restarted: bool = True
) -> Iterator[Finding]:
    """Nothing starts before every alarm has been acted upon and cleared (UPG-P-01, UPG-P-02).

    `under_way`: an upgrade of this cluster has stopped half way, so alarms of clustering are what
    the guide says may be ignored (UPG-A-01, UPG-A-07).
    """
    standing = [
        a
        for a in seen.alarms
        if not (is_restarted and a.title.casefold() in PASSING)
        and not (under_way and is_cluster_alarm(a))
    ]
    if standing:
        listed = "; ".join(_told(alarm) for alarm in standing)
        yield blocker(
            "alarms-open",
            f"{seen.label} has {len(standing)} alarm(s): {listed}.",
            "Act upon every alarm on Status > Alarms until it has cleared, then plan again.",
            "UPG-P-01 UPG-P-02",
            peer_id=seen.peer_id,
            evidence={str(alarm.number or alarm.uuid): _told(alarm) for alarm in standing},
        )


def partitioned(peers: Sequence[Observation]) -> Iterator[Finding]:
    """An earlier upgrade stopped half way: the cluster works partitioned (PRE-03, PRE-04)."""
    versions = {seen.label: seen.software_version for seen in peers}
    if len(set(versions.values())) > 1:
        listed = ", ".join(f"{name}: {version}" for name, version in versions.items())
        yield warning(
            "cluster-partitioned",
            f"The members run different software ({listed}): the cluster works partitioned.",
            "Finish the upgrade. Until then change nothing else on any peer; changes of the"
            " configuration do not reach peers of another version.",
            "PRE-03 PRE-04 UPG-M-22 UPG-M-23",
            evidence=versions,
        )


def calls_up(peers: Sequence[Observation]) -> Iterator[Finding]:
    """It is recommended to upgrade while the system is inactive (UPG-02)."""
    busy = {seen.label: str(seen.calls) for seen in peers if seen.calls}
    if busy:
        yield warning(
            "calls-up",
            "There are calls: " + ", ".join(f"{n} on {name}" for name, n in busy.items()) + ".",
            "Upgrade while the system is inactive, or let the job wait for the calls of each peer.",
            "UPG-02",
            evidence=busy,
        )


def image_there(name: str, images: Mapping[str, int], *, needed: bool) -> Iterator[Finding]:
    """The software image is in the service's image folder."""
    if name and name not in images:
        yield blocker(
            "image-missing",
            f"There is no software image {name} in the service's image folder.",
            "Put the file into the image folder; `GET /v1/images` lists what is there.",
            "UPG-M-13 UPG-N-11",
        )
    elif not name and needed:
        yield warning(
            "no-image",
            "No software image is named, so an operator installs the software on each peer.",
            "Name an image to have the service install it where a transport can.",
            "UPG-M-13 UPG-N-11",
        )


def _told(alarm: Alarm) -> str:
    return f"{alarm.title}: {alarm.description}" if alarm.description else alarm.title
