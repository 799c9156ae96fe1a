"""Causes that ask for a restart, an end of maintenance or a better name, and stuck replication."""

from __future__ import annotations

from collections.abc import Iterator

from app.checks import naming
from app.checks.diagnosis.suspect import APART, STALE, Mend, Suspect, job_changes
from app.checks.diagnosis.symptoms import Case, Symptom
from app.checks.findings import blocker, warning

_RESTART_KEYS = frozenset(
    {"restart-for-clustering", "restart-for-option-key", "restart-for-software",
     "restart-for-ethernet", "restart-for-ip", "restart-for-network", "restart-for-https",
     "restart-for-ssh", "restart-for-http", "restart-required"}
)  # fmt: skip


def restart_pending(case: Case) -> Iterator[Suspect]:
    """An alarm demands a restart: what was saved is not in force yet."""
    for peer, seen in case.observed:
        reasons = [
            alarm.description or alarm.title for alarm in seen.alarms if _restart(alarm.title)
        ]
        if not reasons:
            continue
        clustering = any(alarm.number == 20007 for alarm in seen.alarms)
        yield Suspect(
            blocker(
                "restart-pending",
                f"{peer.name} needs a restart before what was saved takes effect.",
                "Restart it: one peer of a cluster at a time, the next when it is back.",
                "PRE-18 NEW-M-44 NEW-F-02 ADD-F-02",
                peer_id=peer.id,
                evidence={"reason": "; ".join(reasons)},
            ),
            # A cluster name or key that is not in force yet keeps peers apart.
            _RESTART_KEYS | (APART if clustering else frozenset()),
            frozenset({peer.id}) if not clustering else None,
            mends=(Mend("restart-peer", {"peer_id": peer.id}),),
            by_job=job_changes(case),
        )


def _restart(title: str) -> bool:
    return title.casefold() == "restart required"


def maintenance_left_on(case: Case) -> Iterator[Suspect]:
    """Maintenance mode is on and no job of this cluster uses it."""
    for peer, seen in case.observed:
        if not seen.maintenance_mode:
            continue
        used = case.running is not None and case.running.uses_maintenance_mode(peer.id)
        yield Suspect(
            warning(
                "maintenance-mode-on",
                f"{peer.name} is in maintenance mode: it takes no new calls and registrations.",
                "Switch it off on Maintenance > Maintenance mode when the work on it has ended.",
                "NEW-F-04 NEW-F-05 ADD-X-21",
                peer_id=peer.id,
            ),
            frozenset({"maintenance-mode"}),
            frozenset({peer.id}),
            mends=(Mend("maintenance-mode", {"peer_ids": [peer.id], "enabled": False}),),
            by_job=f"job {case.running.id} uses it" if used and case.running else "",
        )


def names(case: Case) -> Iterator[Suspect]:
    """Host names, System names and DNS servers that a cluster's peers need (p.5, p.9)."""
    everyone = [seen for _, seen in case.observed]
    for seen in everyone:
        for finding in (*naming.host_name(seen), *naming.dns_servers(seen)):
            yield Suspect(finding)
    for finding in naming.different_names(everyone):
        yield Suspect(finding)


def replication_stuck(case: Case, left: tuple[Symptom, ...]) -> Iterator[Suspect]:
    """The configuration differs from the primary's and nothing else says why."""
    primary = case.primary
    for peer, seen in case.observed:
        stale = [sign for sign in left if sign.peer_id == peer.id and sign.key in STALE]
        if primary is None or not stale:
            continue
        yield Suspect(
            blocker(
                "replication-stuck",
                f"{peer.name} does not have the configuration of {primary.label}, and no alarm"
                " says why.",
                "Wait five minutes and look again: the primary's configuration is copied about"
                " every two minutes. Where it stays so and the primary's configuration is known to"
                " be good, back up the peer and force a configuration update on it.",
                "ALM-05 ALM-06 ALM-12 ALM-14 ALM-15",
                peer_id=peer.id,
                evidence={"here": seen.shared_digest[:16], "primary": primary.shared_digest[:16]},
            ),
            STALE,
            frozenset({peer.id}),
            mends=(
                Mend(
                    "force-config-update",
                    {"peer_id": peer.id},
                    "it stays so for five minutes, and the primary's configuration is good",
                ),
            ),
            by_job=job_changes(case),
        )
