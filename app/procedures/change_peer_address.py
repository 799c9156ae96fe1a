"""Change the LAN 1 address of a member (guide p.25): remove it, change the address, add it again.

A member's address is never changed in place. The parts are those of remove-peer and add-peer; the
addition is planned over the cluster that the removal leaves behind.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

from app.checks import leaving
from app.checks.findings import at, blocker
from app.domain.finding import Finding, Severity
from app.domain.peer import Peer
from app.domain.plan import Impact, Stage
from app.domain.procedure import Draft, Situation
from app.procedures import add_peer, change_primary, remove_peer
from app.procedures.base import Param, Procedure
from app.procedures.change_primary import NewPrimary
from app.procedures.parts import part
from app.procedures.prediction import with_address, without_members
from app.procedures.remove_peer import OwnName
from app.procedures.situation import relied_on
from app.procedures.steps.address import (
    answers_at_address,
    record_address,
    restart_away,
    write_address,
)
from app.procedures.steps.target import Target


@dataclass(frozen=True, slots=True)
class Parameters:
    """What change-peer-address needs to know."""

    peer_id: Annotated[
        str, Param("The member whose address changes.", "peer_02", min_length=1, max_length=64)
    ]
    new_address: Annotated[
        str, Param("Its new LAN 1 IPv4 address.", "192.0.2.22", min_length=7, max_length=15)
    ]
    subnet_mask: Annotated[
        str, Param("LAN 1 subnet mask, where it changes too.", "255.255.255.0", max_length=15)
    ] = ""
    gateway: Annotated[
        str, Param("IP gateway, where it changes too.", "192.0.2.1", max_length=15)
    ] = ""
    new_primary_peer_id: NewPrimary = ""
    own_cluster_name: OwnName = ""
    call_drain_seconds: Annotated[
        float,
        Param(
            "How long to wait for calls to end before the peer joins again, in seconds.",
            3600,
            minimum=0,
            maximum=604800,
        ),
    ] = 3600.0
    disconnect_remaining_calls: Annotated[
        bool, Param("Disconnect what is left after that time (ADD-X-24).", False)
    ] = False


def findings(p: Parameters, s: Situation, peer: Peer, moved: Situation) -> tuple[Finding, ...]:
    """What the removal asks for, a usable address, and what the addition will ask for."""
    always = replace(
        blocker(
            "never-changed-in-place",
            "The address of a member is never changed in place: the peer is removed, gets its new"
            " address, and is added again.",
            "Nothing. A primary hands over first: see `new_primary_peer_id` (guide p.24).",
            "CIP-01 CIP-02 CIP-03",
            peer_id=peer.id,
        ),
        severity=Severity.INFO,
    )
    leaves = remove_peer.findings(s, peer, p.own_cluster_name, p.new_primary_peer_id)
    return (
        always,
        *primary_first(s, peer, p.new_primary_peer_id, "CIP-02 CIP-03"),
        *(f for f in of_the_removal(leaves) if f.code != "unit-keeps-its-configuration"),
        *address_usable(p, s, peer),
        *of_the_addition(moved, add_peer.findings(joining(p), moved, moved.peers[peer.id])),
    )


def primary_first(
    s: Situation, peer: Peer, new_primary_id: str, requirements: str
) -> Iterator[Finding]:
    """The peer is not the primary, or the job makes another peer the primary first."""
    if not new_primary_id:
        yield from at("/peer_id", leaving.is_not_primary(s.cluster, peer, requirements))


def of_the_removal(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings of the removal, but that the peer is the primary: `primary_first` says so."""
    said = ("peer-is-primary", "/peer_id")
    return tuple(finding for finding in found if (finding.code, finding.pointer) != said)


def of_the_addition(after: Situation, found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings of add-peer, whose parameters have no place of their own in the request.

    None where the removal would take the primary away: there is nothing to add to then.
    """
    if after.cluster.primary is None:
        return ()
    return tuple(replace(finding, pointer=None) for finding in found)


def address_usable(p: Parameters, s: Situation, peer: Peer) -> Iterator[Finding]:
    """The new address is an IPv4 address of one host that nobody else has."""
    problem = ""
    for field, text in (
        ("new_address", p.new_address),
        ("subnet_mask", p.subnet_mask),
        ("gateway", p.gateway),
    ):
        left_as_it_is = not text and field != "new_address"
        if not left_as_it_is and not _is_ipv4(text):
            yield from at(f"/{field}", [_not_usable(f"{text!r} is no IPv4 address.", peer)])
    if not _is_ipv4(p.new_address):
        return
    address = ipaddress.IPv4Address(p.new_address)
    if address.is_loopback or address.is_multicast or address.is_unspecified:
        problem = f"{address} is not the address of one host."
    elif p.new_address == peer.address:
        problem = f"{peer.name} has the address {address} already."
    for other in s.peers.values():
        seen = s.observed(other.id)
        has = {lan.ipv4 for lan in seen.lans} if seen else set()
        if other.id != peer.id and p.new_address in {other.address, *has}:
            problem = f"{other.name} has the address {address}."
    if problem:
        yield from at("/new_address", [_not_usable(problem, peer)])


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _not_usable(problem: str, peer: Peer) -> Finding:
    return blocker(
        "address-not-usable",
        problem,
        "Give the free IPv4 address that LAN 1 is to have.",
        "CIP-05",
        peer_id=peer.id,
    )


def joining(p: Parameters) -> add_peer.Parameters:
    """The parameters of the addition."""
    return add_peer.Parameters(
        peer_id=p.peer_id,
        call_drain_seconds=p.call_drain_seconds,
        disconnect_remaining_calls=p.disconnect_remaining_calls,
    )


def address_stage(p: Parameters, on: Target) -> Stage:
    """Step 3: the address itself, and where the peer is found from then on."""
    address = p.new_address
    return Stage("address", f"Change the IP address of {on.peer.name}", (
        write_address(on, "CIP-01 CIP-05", address=address, subnet_mask=p.subnet_mask,
                      gateway=p.gateway),
        restart_away(on, "CIP-05", address=address),
        record_address(on, "CIP-05", address=address),
        replace(answers_at_address(on, "CIP-05", address=address), safe_after=True),
    ), "25")  # fmt: skip


def draft(p: Parameters, s: Situation) -> Draft:
    """Stages, findings and impact; pure. The whole procedure is in `stages`."""
    peer = s.peers[p.peer_id]
    name = leaving.name_after(s, peer, p.own_cluster_name)
    handed, led = change_primary.first(s, peer, p.new_primary_peer_id)
    alone = without_members(led, [peer], {peer.id: name})
    moved = with_address(alone, peer, p.new_address, subnet_mask=p.subnet_mask, gateway=p.gateway)
    found = findings(p, s, peer, moved)
    removal = remove_peer.findings(led, peer, p.own_cluster_name)
    addition = add_peer.findings(joining(p), moved, moved.peers[peer.id])
    stages = (
        *handed,
        *part("remove", remove_peer.stages_for(led, peer, name, removal, stays_out=False),
              "CIP-02 CIP-04"),
        address_stage(p, Target.of(peer, s)),
        *part("add", add_peer.stages(joining(p), moved, moved.peers[peer.id], addition),
              "CIP-06 CIP-07"),
    )  # fmt: skip
    return Draft(
        stages=stages,
        findings=found,
        impact=(
            Impact(
                peer.id,
                f"{peer.name} leaves the cluster, restarts at least three times, takes its new"
                f" address {p.new_address} and joins again; it serves nobody meanwhile.",
            ),
            *add_peer.impact(moved, peer)[1:],
        ),
        back_out=(*(change_primary.back_out(s) if handed else ()), *back_out(peer)),
        relies_on=relied_on(s, [member.id for member in s.cluster.members]),
    )


def back_out(peer: Peer) -> tuple[str, ...]:
    """The ways back, by how far the job came."""
    return (
        *remove_peer.back_out(peer)[:-1],
        (
            f"Behind the removal: bring {peer.name} back with add-peer (guide p.12), at whichever"
            " address it has."
        ),
        add_peer.back_out(peer)[-1],
    )


PROCEDURE = Procedure(
    slug="change-peer-address",
    title="Change the address of a peer",
    summary="Removes a member, changes its LAN 1 address and adds it again.",
    guide_pages="25",
    parameters=Parameters,
    named_peers=lambda p: tuple(filter(None, (p.peer_id, p.new_primary_peer_id))),
    draft=draft,
    admits=True,
)
