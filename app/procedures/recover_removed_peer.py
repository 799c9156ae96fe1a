"""Reset a unit that was removed while out of service, before it is used again (guide p.20-21).

It still has the peer list and key of its former cluster. So where it answers, its list is emptied
before anything else; then it is backed up and reset to the factory's configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from app.checks import leaving
from app.checks.findings import at, blocker, unknown, warning
from app.domain.finding import Finding
from app.domain.peer import Peer
from app.domain.plan import Impact, Stage
from app.domain.procedure import Draft, Situation
from app.procedures.base import Param, Procedure
from app.procedures.parts import with_steps
from app.procedures.situation import relied_on
from app.procedures.steps.attest import gate, gates_for
from app.procedures.steps.backup import back_up
from app.procedures.steps.factory_reset import at_factory_defaults, factory_reset
from app.procedures.steps.leaving import leave_cluster
from app.procedures.steps.reset import add_default_links
from app.procedures.steps.target import Target
from transports.base import FactoryReset


@dataclass(frozen=True, slots=True)
class Parameters:
    """What recover-removed-peer needs to know: the choices the reset leaves open."""

    peer_id: Annotated[
        str, Param("The unit that was removed.", "peer_03", min_length=1, max_length=64)
    ]
    keep_ip_configuration: Annotated[
        bool,
        Param("Keep its IP configuration; no where another unit has its address (RMD-R-06).", True),
    ] = True
    keep_passwords: Annotated[bool, Param("Keep root and admin passwords (RMD-R-08).", True)] = True
    save_log_files: Annotated[
        bool, Param("Save log files; only when they were asked for (RMD-R-09).", False)
    ] = False


def findings(p: Parameters, s: Situation, unit: Peer) -> tuple[Finding, ...]:
    """The unit is in no cluster's registry, and its address is its own."""
    found: list[Finding] = []
    if unit.id in s.memberships:
        member = blocker(
            "peer-in-cluster",
            f"{unit.name} is a registered member of a cluster.",
            "Remove it first: remove-peer where it answers, else remove-dead-peer.",
            "RMD-05 RMD-R-01",
            peer_id=unit.id,
        )
        found += at("/peer_id", [member])
    twins = [m for m in s.cluster.members if m.address == unit.address and m.id != unit.id]
    if twins and p.keep_ip_configuration:
        found.append(
            replace(
                blocker(
                    "address-in-use",
                    f"{twins[0].name} now has the address {unit.address}.",
                    "Reset it with `keep_ip_configuration` false.",
                    "RMD-R-06",
                    peer_id=unit.id,
                ),
                pointer="/keep_ip_configuration",
            )
        )
    seen = s.observed(unit.id)
    if seen is None:
        found.append(
            warning(
                "reset-by-hand",
                f"{unit.name} cannot be reached from here, so somebody resets it at its console.",
                "Nothing, where it is meant to stay off the network until it is reset.",
                "RMD-R-01 RMD-R-02 RMD-R-03",
                peer_id=unit.id,
            )
        )
    else:
        found += at("/peer_id", leaving.version_covered(seen, "RMD-R-01"))
        found.append(
            unknown(
                "isolated-until-reset",
                f"{unit.name} answers, and still has its clustering configuration.",
                f"{unit.name} is not yet used by endpoints or other devices, and may be reset now.",
                "RMD-06 RMD-07 RMD-R-01",
                peer_id=unit.id,
            )
        )
    return tuple(found)


def stages_for(
    p: Parameters, s: Situation, unit: Peer, found: tuple[Finding, ...]
) -> tuple[Stage, ...]:
    """The whole procedure on one screen, in the guide's order."""
    on = Target.of(unit, s)
    reached = s.observed(unit.id) is not None
    answers = FactoryReset(
        keep_option_keys=True,
        keep_ip_configuration=p.keep_ip_configuration,
        keep_ssh_keys=False,
        keep_passwords=p.keep_passwords,
        save_log_files=p.save_log_files,
        replace_hard_disk=False,
    )
    # Nobody reaches a unit that is kept off the network: its reset is a person's then.
    resetting = on if reached else replace(on, capabilities=frozenset())
    return with_steps(
        Stage("before", "Before you start", gates_for(found), "21"),
        Stage("clear", "It no longer takes itself for a peer", (
            leave_cluster(on, "RMD-06 RMD-R-01", cluster_name=None, extends=None,
                          forgotten_by=s.cluster.members),
            back_up(on, "RMD-R-01"),
        ) if reached else (), "20"),
        Stage("reset", "Factory reset", (
            factory_reset(
                resetting,
                "RMD-R-02 RMD-R-03 RMD-R-04 RMD-R-05 RMD-R-06 RMD-R-07 RMD-R-08 RMD-R-09 RMD-R-10"
                " RMD-R-11 RMD-R-12", answers),
            gate("known-again", known_again(p, unit), "RMD-R-07 RMD-R-12 RMD-R-13 RMD-R-14"),
        ), "21"),
        Stage("after", "After the reset", (
            at_factory_defaults(on, "RMD-R-13 RMD-R-14 RMD-R-16"),
            replace(add_default_links(on, "RMD-R-15"), safe_after=True),
        ), "21"),
    )  # fmt: skip


def known_again(p: Parameters, unit: Peer) -> str:
    """What a person does between the reset and the first log-in: our pins and passwords are old."""
    what = ["the SSH host key and the certificate it shows now"]
    what += [] if p.keep_ip_configuration else ["the address it was given at its console"]
    what += [] if p.keep_passwords else ["a credential with its new passwords"]
    return (
        f"{unit.name} is up again (20 minutes or more after the reset), and its entry in this"
        f" service has {', '.join(what)}, compared and found right."
    )


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure."""
    unit = s.peers[p.peer_id]
    found = findings(p, s, unit)
    return Draft(
        stages=stages_for(p, s, unit, found),
        findings=found,
        impact=(
            Impact(
                unit.id,
                f"{unit.name} loses its configuration and is away for 20 minutes or more"
                " (RMD-R-13). No member of the cluster is touched.",
            ),
        ),
        back_out=(
            "Before the reset: nothing but the peer list of the unit has changed.",
            (
                "After it: restore the backup taken by this job; it holds no peer list. To bring"
                " the unit back into a cluster, run add-peer (guide p.12)."
            ),
        ),
        relies_on=relied_on(s, [unit.id]),
    )


PROCEDURE = Procedure(
    slug="recover-removed-peer",
    title="Reset a removed unit",
    summary="Clears a unit that was removed while out of service, before it is connected again.",
    guide_pages="20-21",
    parameters=Parameters,
    named_peers=lambda p: (p.peer_id,),
    draft=draft,
)
