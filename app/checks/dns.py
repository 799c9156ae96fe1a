"""The DNS of a cluster: what the peers' own name servers say against what the guide wants.

Every name server that a peer uses is judged by itself (PRE-31). A server that did not speak about a
name settles nothing: its peers' rules then stay unknown, and an operator attests them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from app.checks.findings import blocker, unknown, warning
from app.checks.name_server import Server, servers
from app.checks.srv import srv_records
from app.dns import questions
from app.dns.expected import SERVICES, Host, hosts
from app.domain.dns import Answer, Naptr, folded, reverse_name
from app.domain.finding import Finding
from app.domain.observation import Observation
from app.domain.procedure import Situation

EVERYTHING = (
    "PRE-05 PRE-22 PRE-23 PRE-24 PRE-25 PRE-26 PRE-27 PRE-28 PRE-29 PRE-30 PRE-31"
    " NEW-M-19 NEW-M-31 NEW-M-32 ADD-J-08"
)
FORWARD = "PRE-23 PRE-31 NEW-M-19 ADD-J-08"
REVERSE = "PRE-24 PRE-30 PRE-31 NEW-M-19 ADD-J-08"
PURPOSES = {"NTP server": "PRE-26", "external manager": "PRE-27", "LDAP server": "PRE-29"}
_RANKS = {"SIPS+D2T": 0, "SIP+D2T": 1, "SIP+D2U": 2}


def dns_records(s: Situation, peers: Sequence[Observation]) -> Iterator[Finding]:
    """SRV, forward and reverse records for all peers, and every other name they use (guide p.5)."""
    name = s.cluster.name
    found = servers(peers, s.dns)
    for server in found:
        yield from srv_records(server, name, hosts(peers), elsewhere(s))
        yield from peer_names(server, hosts(peers))
        yield from other_names(server)
        yield from naptr_records(server, name)
    yield from unsettled(name, peers, found)


def elsewhere(s: Situation) -> dict[str, str]:
    """LAN 1 addresses of peers of other clusters -> the id of their cluster.

    Two clusters that back each other up share SRV records with different priorities (SRV-28,
    SRV-29), so such an address in them is no mistake.
    """
    return {
        s.peers[peer_id].address: cluster_id
        for peer_id, cluster_id in s.memberships.items()
        if cluster_id != s.cluster.id and peer_id in s.peers
    }


def unsettled(
    name: str, peers: Sequence[Observation], found: Iterable[Server]
) -> Iterator[Finding]:
    """What no look-up could settle stays an operator's word."""
    asked = tuple(found)
    mute = [server for server in asked if server.silence]
    if asked and not mute:
        return
    who = ", ".join(seen.dns.fqdn or seen.address for seen in peers)
    why = (
        "; ".join(f"{server.label} {server.silence}" for server in mute)
        if asked
        else "the peers' own DNS servers are not asked from here"
    )
    yield unknown(
        "dns-records",
        f"The DNS records cannot all be looked up: {why}.",
        f"The SRV records of {name} name A or AAAA records of all its peers, and the DNS servers of"
        f" each peer answer forward and reverse look-ups for {who} and for every other name they"
        " use (NTP, external manager, Lync, LDAP).",
        EVERYTHING,
    )


def peer_names(server: Server, peers: Sequence[Host]) -> Iterator[Finding]:
    """Forward and reverse look-ups of every peer at this server (PRE-23, PRE-24)."""
    for host in peers:
        for address in host.addresses:
            kind = "AAAA" if ":" in address else "A"
            if host.fqdn and server.spoke(host.fqdn, kind):
                found = server.addresses(host.fqdn)
                if address not in found:
                    yield blocker(
                        "dns-forward-missing",
                        f"{server.label} answers {', '.join(found) or 'nothing'} for {host.fqdn},"
                        f" not {address}.",
                        f"Add an {kind} record {host.fqdn} {address}.",
                        FORWARD,
                        peer_id=host.peer_id,
                        evidence={"resolver": server.address, "name": host.fqdn},
                    )
            yield from _reverse(server, host, address)


def _reverse(server: Server, host: Host, address: str) -> Iterator[Finding]:
    name = reverse_name(address)
    lookup = server.said(name, "PTR")
    if lookup is None or not lookup.answer.settled:
        return
    names = tuple(folded(data) for data in lookup.data())
    if not names:
        yield blocker(
            "dns-reverse-missing",
            f"{server.label} has no name for {address}.",
            f"Add a PTR record {name} {host.fqdn or 'with the name of the peer'}.",
            REVERSE,
            peer_id=host.peer_id,
            evidence={"resolver": server.address, "name": name},
        )
    elif host.fqdn and host.fqdn not in names:
        yield warning(
            "dns-reverse-differs",
            f"{server.label} names {address} {', '.join(names)}, and the peer calls itself"
            f" {host.fqdn}.",
            f"Let the PTR record {name} name {host.fqdn}.",
            REVERSE,
            peer_id=host.peer_id,
            evidence={"resolver": server.address, "name": name},
        )


def other_names(server: Server) -> Iterator[Finding]:
    """Every other name that the server's peers have to resolve (PRE-25 to PRE-29)."""
    for seen in server.users:
        for name, purpose in questions.names_used(seen).items():
            if not server.spoke(name, "A", "AAAA"):
                continue
            cites = f"PRE-25 {PURPOSES.get(purpose, 'PRE-28')} PRE-31"
            reached = server.addresses(name)
            if not reached:
                yield blocker(
                    "dns-name-unresolved",
                    f"{server.label} has no address for {name}, the {purpose} of {seen.label}.",
                    f"Add an A or AAAA record for {name}, or correct the name.",
                    cites,
                    peer_id=seen.peer_id,
                    evidence={"resolver": server.address, "name": name, "purpose": purpose},
                )
            elif purpose == "LDAP server":
                yield from _ldap_reverse(server, seen, reached)
        if seen.ldap_login and questions.is_address(seen.ldap_server):
            address = str(ipaddress.ip_address(seen.ldap_server))
            yield from _ldap_reverse(server, seen, [address])


def extra_names(
    s: Situation, peers: Sequence[Observation], names: Iterable[str]
) -> Iterator[Finding]:
    """Names that somebody says the deployment depends on, such as a Lync server's (PRE-28)."""
    for server in servers(peers, s.dns):
        for name in names:
            if server.spoke(name, "A", "AAAA") and not server.addresses(name):
                yield blocker(
                    "dns-name-unresolved",
                    f"{server.label} has no address for {name}.",
                    f"Add an A or AAAA record for {name}, or correct the name.",
                    "PRE-25 PRE-28 PRE-31",
                    peer_id=server.peer_id,
                    evidence={"resolver": server.address, "name": name},
                )


def _ldap_reverse(server: Server, seen: Observation, addresses: Sequence[str]) -> Iterator[Finding]:
    for address in addresses:
        lookup = server.said(reverse_name(address), "PTR")
        if lookup is not None and lookup.answer.settled and not lookup.data():
            yield blocker(
                "ldap-reverse-missing",
                f"{server.label} has no name for {address}, the LDAP server of {seen.label}.",
                f"Add a PTR record {reverse_name(address)}.",
                "PRE-29 PRE-30",
                peer_id=seen.peer_id,
                evidence={"resolver": server.address, "name": reverse_name(address)},
            )


def naptr_records(server: Server, domain: str) -> Iterator[Finding]:
    """NAPTR records are optional; where there are any, they lead somewhere, TLS first (NAP-02)."""
    lookup = server.said(domain, "NAPTR")
    if lookup is None or not lookup.answer.settled:
        return
    entries = []
    for data in lookup.data():
        try:
            entries.append(Naptr.of(data))
        except ValueError:
            continue
    known = {service.name(domain) for service in SERVICES}
    for entry in entries:
        answer = server.said(entry.replacement, "SRV") if entry.leads_to == "SRV" else None
        if answer is not None and answer.answer in {Answer.NO_RECORDS, Answer.NO_SUCH_NAME}:
            yield warning(
                "naptr-leads-nowhere",
                f"The NAPTR record of {domain} for {entry.service} leads to {entry.replacement},"
                f" which has no SRV records at {server.label}.",
                f"Add the SRV records, or take the NAPTR record for {entry.service} away.",
                "NAP-23 NAP-36",
                peer_id=server.peer_id,
                evidence={"resolver": server.address, "name": entry.replacement},
            )
    sip = sorted(
        (entry.order, entry.preference, _RANKS[entry.service.upper()])
        for entry in entries
        if entry.service.upper() in _RANKS and entry.replacement in known
    )
    if [rank for *_, rank in sip] != sorted(rank for *_, rank in sip):
        yield warning(
            "naptr-order",
            f"The NAPTR records of {domain} at {server.label} do not prefer SIP over TLS to TCP to"
            " UDP.",
            "Give SIPS+D2T the lowest order, then SIP+D2T, then SIP+D2U.",
            "NAP-02 NAP-06 NAP-07 NAP-08 NAP-20 NAP-21",
            peer_id=server.peer_id,
            evidence={"resolver": server.address, "name": domain},
        )
