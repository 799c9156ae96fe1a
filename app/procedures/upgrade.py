"""Upgrade the software of a cluster: the primary first, then the other peers one by one (p.6-8).

Members that run the wanted software already are passed over, so an upgrade that stopped half way
is finished by planning it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from app.checks import access, choice, membership, upgrade
from app.checks.findings import at, citing
from app.domain.finding import Finding
from app.domain.observation import Observation
from app.domain.peer import Peer
from app.domain.plan import Impact, PlannedStep, Stage
from app.domain.procedure import Draft, Situation
from app.procedures.base import Param, Procedure
from app.procedures.situation import relied_on
from app.procedures.steps.attest import gate, gates_for
from app.procedures.steps.backup import back_up
from app.procedures.steps.calls import drain_calls
from app.procedures.steps.record import record_members
from app.procedures.steps.replication import alarms_cleared, database_active
from app.procedures.steps.restart import restart
from app.procedures.steps.settings import maintenance_mode
from app.procedures.steps.software import (
    check_image,
    configuration_kept,
    install_software,
    version_runs,
)
from app.procedures.steps.target import Target

CHAPTERS = ("PRE", "UPG", "ALM")


@dataclass(frozen=True, slots=True)
class Parameters:
    """What upgrade needs to know."""

    to_version: Annotated[
        str,
        Param(
            "The version all members run afterwards, as the peers name it.",
            "X8.2",
            max_length=20,
            pattern=r"^X[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,3})?$",
        ),
    ]
    image: Annotated[
        str,
        Param(
            "Name of the software image in the service's image folder (`GET /v1/images`). Without"
            " one an operator installs the software on each peer and attests it.",
            "s42700x8_2_0.tar.gz",
            max_length=200,
            pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$",
        ),
    ] = ""
    image_sha256: Annotated[
        str,
        Param(
            "The image's SHA-256 as its vendor states it; another image is refused.",
            "5f0c3a6d1b7e4c2f9a8d0e6b3c5f7a9d2e4b6c8f0a1d3e5b7c9f2a4d6e8b0c1f",
            max_length=64,
            pattern=r"^([0-9a-f]{64})?$",
        ),
    ] = ""
    call_drain_seconds: Annotated[
        float,
        Param(
            "How long to wait for the calls of each peer to end, in seconds (UPG-M-11).",
            3600,
            minimum=0,
            maximum=604800,
        ),
    ] = 3600.0
    disconnect_remaining_calls: Annotated[
        bool, Param("Disconnect what is left after that time (UPG-M-12).", False)
    ] = False


def findings(p: Parameters, s: Situation) -> tuple[Finding, ...]:
    """The prerequisites of p.5 and p.6."""
    found: list[Finding] = [*choice.chosen_members(s.cluster, (), "UPG-01")]
    seen = [o for member in s.cluster.members if (o := s.observed(member.id)) is not None]
    to_do = {peer.id for peer in outdated(p, s)}
    under_way = len({o.software_version for o in seen}) > 1
    for member in s.cluster.members:
        found += access.readable(s.views.get(member.id), member.id)
    for observation in seen:
        found += access.version_applies(observation)
        found += at("/to_version", upgrade.path_covered(observation, p.to_version))
        found += upgrade.no_open_alarms(
            observation, under_way=under_way, is_restarted=observation.peer_id in to_do
        )
    found += (
        finding
        for finding in membership.members_agree(s.cluster, s.views)
        if not (under_way and finding.code == "cluster-database-not-active")
    )
    found += upgrade.partitioned(seen)
    found += upgrade.calls_up(seen)
    found += at("/image", upgrade.image_there(p.image, s.images, needed=bool(to_do)))
    return citing(found, *CHAPTERS)


def outdated(p: Parameters, s: Situation) -> tuple[Peer, ...]:
    """The members that do not run the wanted version, the primary first (UPG-03 to UPG-05)."""
    order = sorted(s.cluster.members, key=lambda member: member.id != s.cluster.primary_id)
    seen = {member.id: s.observed(member.id) for member in order}
    return tuple(m for m in order if (o := seen[m.id]) and o.software_version != p.to_version)


@dataclass(frozen=True, slots=True)
class Cites:
    """The requirements of the steps on one peer: the guide has them twice."""

    backup: str
    maintenance: str
    calls: str
    disconnect: str
    install: str
    restart: str
    version: str
    kept: str
    backup_after: str
    alarms: str
    pages: str


MASTER = Cites(
    backup="UPG-M-01 UPG-M-02 UPG-M-03 UPG-M-04",
    maintenance="UPG-M-05 UPG-M-06 UPG-M-07 UPG-M-08 UPG-M-09 UPG-M-10",
    calls="UPG-M-11",
    disconnect="UPG-M-12",
    install="UPG-03 UPG-04 UPG-M-13 UPG-M-15",
    restart="UPG-M-14 UPG-M-16 UPG-M-17 UPG-M-18",
    version="UPG-01 UPG-M-19 UPG-M-22 UPG-M-23 PRE-03 PRE-04",
    kept="UPG-M-20",
    backup_after="UPG-M-21",
    alarms="UPG-A-01 UPG-A-02 UPG-A-03 ALM-21 ALM-22",
    pages="6-7",
)
OTHER = Cites(
    backup="UPG-N-01 UPG-N-02 UPG-N-03 UPG-N-04 UPG-N-05",
    maintenance="UPG-N-06 UPG-N-07 UPG-N-08",
    calls="UPG-N-09",
    disconnect="UPG-N-10",
    install="UPG-03 UPG-05 UPG-N-11 UPG-N-14",
    restart="UPG-N-12 UPG-N-13 UPG-N-15 UPG-N-16 UPG-N-17",
    version="UPG-N-18",
    kept="UPG-N-20",
    backup_after="UPG-N-05 UPG-N-21",
    alarms="UPG-N-19 UPG-A-06 UPG-A-07 UPG-A-08 UPG-A-09 ALM-21 ALM-22",
    pages="7-8",
)


def stages(p: Parameters, s: Situation, found: tuple[Finding, ...]) -> tuple[Stage, ...]:
    """The whole procedure on one screen, in the guide's order."""
    cluster, primary = s.cluster, s.cluster.primary
    if primary is None:
        return ()
    everyone = [Target.of(member, s) for member in cluster.members]
    return (
        Stage("before", "Before you start", (
            gate("maintenance-window", "The system is inactive, or users have been told.",
                 "UPG-02"),
            *gates_for(found),
            *([check_image(p.image, p.image_sha256, "UPG-M-13 UPG-N-11")] if p.image else []),
            *(alarms_cleared(on, "UPG-P-01 UPG-P-02", what="alarms-before", known=_known(s, on))
              for on in everyone),
        ), "6"),
        *(
            Stage(f"upgrade-{n}", f"On {peer.name}: upgrade and restart",
                  steps_on(p, s, peer, MASTER if peer.id == primary.id else OTHER),
                  MASTER.pages if peer.id == primary.id else OTHER.pages)
            for n, peer in enumerate(outdated(p, s), start=1)
        ),
        Stage("status", "After all peers have been upgraded: check cluster status", (
            *(database_active(on, "UPG-F-01 UPG-A-04 UPG-A-10",
                              shown="cluster_status" in on.capabilities) for on in everyone),
            *(alarms_cleared(on, "UPG-A-04 UPG-A-05 UPG-A-10 UPG-A-11", known=[])
              for on in everyone),
            record_members(everyone[0], cluster, cluster.members, primary, "UPG-F-02"),
        ), "8"),
    )  # fmt: skip


def steps_on(p: Parameters, s: Situation, peer: Peer, cites: Cites) -> tuple[PlannedStep, ...]:
    """What is done on one peer, from its backup to its backup."""
    on, seen = Target.of(peer, s), s.observed(peer.id)
    return (
        back_up(on, cites.backup),
        maintenance_mode(on, cites.maintenance, to="On"),
        *drain_calls(on, cites.calls, cites.disconnect, calls=seen.calls if seen else None,
                     deadline=p.call_drain_seconds, disconnect=p.disconnect_remaining_calls),
        install_software(on, p.image, p.to_version, cites.install),
        restart(on, cites.restart, others=s.cluster.members, remember_configuration=True,
                reboot=True),
        version_runs(on, p.to_version, cites.version),
        maintenance_mode(on, cites.version, to="Off"),
        configuration_kept(on, cites.kept, restart_key=on.key("restart")),
        alarms_cleared(on, cites.alarms, known=[], what="alarms-since", but_of_clustering=True),
        back_up(on, cites.backup_after, what="back-up-after"),
    )  # fmt: skip


BEFORE_RESTART = (
    "Before a peer is restarted: set its maintenance mode to Off; installed software that was not"
    " restarted into is not in use."
)
AFTER_RESTART = (
    "After it: plan the upgrade again to finish it. The cluster serves meanwhile, partitioned by"
    " version (PRE-04)."
)
GOING_BACK = (
    "To go back to the earlier release: install it, then restore the backup taken on it at the"
    " start of the job; a backup of the new release does not fit (UPG-M-04)."
)
BACK_OUT = (BEFORE_RESTART, AFTER_RESTART, GOING_BACK)


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure."""
    found = findings(p, s)
    return Draft(
        stages=stages(p, s, found),
        findings=found,
        impact=tuple(
            Impact(
                peer.id,
                f"{peer.name} takes no new calls from maintenance mode on, installs the software"
                f" and is away for about {Target.of(peer, s).timings.reboot / 60:.0f} minutes while"
                " it restarts, longer where its disk is checked. The other peers go on; changes of"
                " the configuration are not replicated until all peers run"
                f" {p.to_version} (UPG-M-08, UPG-M-09, UPG-M-10, UPG-M-23).",
            )
            for peer in outdated(p, s)
        ),
        back_out=BACK_OUT,
        relies_on=relied_on(s, [member.id for member in s.cluster.members]),
    )


def _known(s: Situation, on: Target) -> list[str]:
    """Alarms that were there when this was planned, and were not in its way."""
    seen: Observation | None = s.observed(on.peer.id)
    return [alarm.title for alarm in seen.alarms] if seen else []


PROCEDURE = Procedure(
    slug="upgrade",
    title="Upgrade a cluster",
    summary="Upgrades the software of all members: the primary first, then one peer at a time.",
    guide_pages="6-8",
    parameters=Parameters,
    named_peers=lambda _: (),
    draft=draft,
    in_bulk=(
        "to_version",
        "image",
        "image_sha256",
        "call_drain_seconds",
        "disconnect_remaining_calls",
    ),
)
