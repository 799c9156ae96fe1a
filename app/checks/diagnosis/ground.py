"""What peers need before they can be a cluster: addresses, one software, H.323, the time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.checks import equality, naming, network
from app.checks.diagnosis.suspect import (
    APART,
    DISAGREEING,
    STALE,
    Mend,
    Suspect,
    citing_too,
    job_changes,
)
from app.checks.diagnosis.symptoms import Case
from app.checks.findings import blocker
from app.domain.observation import Observation


def addresses(case: Case) -> Iterator[Suspect]:
    """Addresses used twice, NAT on LAN 1, lists that name another interface (p.5, p.28)."""
    everyone = [seen for _, seen in case.observed]
    for finding in network.different_addresses(everyone):
        yield Suspect(finding, DISAGREEING)
    for peer, seen in case.observed:
        for finding in network.no_nat_on_lan_1(seen):
            cites = ("ALM-41", "ALM-42", "ALM-43", "ALM-44", "ALM-46")
            yield Suspect(citing_too(finding, *cites), APART)
        for lan in seen.lans:
            named = {lan.ipv4, lan.ipv6} - {"", seen.address}
            listing = [
                member.name
                for member, other in case.observed
                if lan.index != 1 and named & set(other.clustering.addresses)
            ]
            if listing:
                yield Suspect(
                    blocker(
                        "list-names-lan-2",
                        f"The peer list of {', '.join(listing)} names LAN {lan.index} of"
                        f" {peer.name}; peers replicate through LAN 1 only.",
                        f"Name {seen.address}, the LAN 1 address, instead.",
                        "ALM-38 ALM-39 ALM-40 ALM-45",
                        peer_id=peer.id,
                        evidence={"lan_1": seen.address, "named": ", ".join(sorted(named))},
                    ),
                    DISAGREEING,
                )
        if seen.address and seen.address != peer.address and peer.address not in _own(seen):
            yield Suspect(
                blocker(
                    "lan-address-differs",
                    f"{peer.name} has LAN 1 address {seen.address}, registered is {peer.address}.",
                    "Peer lists must name the LAN 1 address: correct the one that is wrong.",
                    "ALM-39 ALM-40",
                    peer_id=peer.id,
                    evidence={"lan_1": seen.address, "registered": peer.address},
                ),
                DISAGREEING,
            )


def _own(seen: Observation) -> set[str]:
    return {a for lan in seen.lans if lan.index == 1 for a in (lan.ipv4, lan.ipv6) if a}


def versions(case: Case) -> Iterator[Suspect]:
    """Peers that run different software do not replicate."""
    running = [(peer, seen) for peer, seen in case.observed if seen.software_version]
    if len(running) < 2:
        return
    reference = case.primary or running[0][1]
    newest = max((seen.software_version for _, seen in running), key=_release)
    ordered = [reference, *(seen for _, seen in running if seen is not reference)]
    for finding in equality.same_version(ordered):
        yield Suspect(
            citing_too(finding, "ALM-21", "ALM-22"),
            APART | {"replication-paused-by-upgrade", "cluster-settings-differ"},
            mends=(
                Mend("upgrade", {"to_version": newest}, f"all peers are meant to run {newest}"),
            ),
            by_job=job_changes(case),
        )


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def protocols(case: Case) -> Iterator[Suspect]:
    """H.323 off, or no time: replication stops (p.27-28)."""
    for _, seen in case.observed:
        for finding in network.h323_on(seen):
            if finding.code == "h323-off":
                cites = ("ALM-23", "ALM-24")
                yield Suspect(
                    citing_too(finding, *cites),
                    STALE | {"h323-off"},
                    frozenset({seen.peer_id}),
                    mends=(Mend("align-clustering", {}),),
                )
        for finding in naming.time_synchronised(seen):
            if finding.code != "ntp-state":
                yield Suspect(
                    citing_too(finding, "ALM-16", "ALM-17"),
                    STALE | {"ntp-unreachable", "ntp-not-available", "time-not-validated"},
                    frozenset({seen.peer_id}),
                    mends=_time_servers(case, seen),
                    by_job=_settling(case, seen.peer_id),
                )


def _time_servers(case: Case, seen: Observation) -> tuple[Mend, ...]:
    """Servers that synchronise another member, where there are some that this one has not."""
    for _, other in case.observed:
        good = other.ntp.synchronised
        if good and set(other.ntp.servers) - set(seen.ntp.servers):
            return (Mend("align-clustering", {"ntp_servers": list(other.ntp.servers)}),)
    return ()


def _settling(case: Case, peer_id: str) -> str:
    """A peer that a job has just restarted needs a minute until its time is synchronised."""
    running = case.running
    if running is None or not running.takes_down(peer_id):
        return ""
    return f"job {running.id} ({running.plan.procedure}) restarts this peer"
