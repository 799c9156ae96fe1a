"""The SRV records of a cluster at one name server (guide p.5 and p.31-33)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.checks.findings import blocker, info, warning
from app.checks.name_server import Server
from app.dns.expected import SERVICES, Host, Service
from app.dns.questions import targets
from app.domain.dns import Srv
from app.domain.finding import Finding

SRV_SET = "PRE-05 PRE-22 SRV-21 SRV-36 NEW-M-31 NEW-M-32"


def srv_records(
    server: Server, domain: str, peers: Sequence[Host], elsewhere: Mapping[str, str]
) -> Iterator[Finding]:
    """The cluster's SRV set at this server (PRE-05, PRE-22, SRV-07 to SRV-30)."""
    usual = [service for service in SERVICES if not service.advice]
    if not all(server.spoke(service.name(domain), "SRV") for service in usual):
        return
    present = {s.label: rows for s in SERVICES if (rows := _rows(server, s, domain))}
    if not any(service.label in present for service in usual):
        robin = server.addresses(domain)
        more = (
            f" It has only addresses ({', '.join(robin)}): round robin (SRV-05)." if robin else ""
        )
        yield blocker(
            "srv-records-missing",
            f"{server.label} has no SRV records for {domain}.{more}",
            f"Add the SRV records of {domain}; the dns resource of the cluster has the zone text.",
            f"{SRV_SET} SRV-05",
            peer_id=server.peer_id,
            evidence={"resolver": server.address},
        )
        return
    for service in usual:
        if service.label not in present:
            yield warning(
                "srv-service-missing",
                f"{server.label} has no {service.label} records for {domain} ({service.purpose}).",
                f"Add {service.name(domain)} where {service.purpose} is used.",
                service.requirements,
                peer_id=server.peer_id,
                evidence={"resolver": server.address, "name": service.name(domain)},
            )
    for service in SERVICES:
        rows = present.get(service.label, ())
        if rows:
            name = service.name(domain)
            yield from _service(_Set(server, service, name, rows, peers, elsewhere))


@dataclass(frozen=True, slots=True)
class _Set:
    """The records of one service at one server, and who should be in them."""

    server: Server
    service: Service
    name: str
    rows: Sequence[Srv]
    peers: Sequence[Host]
    elsewhere: Mapping[str, str]


def _service(of: _Set) -> Iterator[Finding]:
    server, service, name, rows = of.server, of.service, of.name, of.rows
    evidence = {"resolver": server.address, "name": name}
    if service.advice:
        yield info(
            "srv-sip-udp",
            f"{name} exists: {service.advice}.",
            "Keep it only where calls without video need it.",
            "SRV-09 SRV-14 SRV-19",
            peer_id=server.peer_id,
            evidence=evidence,
        )
    ours: list[Srv] = []
    covered: set[str] = set()
    for row in rows:
        if not server.spoke(row.target, "A", "AAAA"):
            return  # the server is named as one that did not speak about every name
        reached = server.addresses(row.target)
        yield from _target(server, row, reached, evidence)
        mine = [host for host in of.peers if set(host.addresses) & set(reached)]
        if mine:
            ours.append(row)
            covered.update(host.peer_id for host in mine)
            yield from _strangers(server, row, mine, reached, evidence)
        elif reached and not set(reached) & of.elsewhere.keys():
            yield warning(
                "srv-target-foreign",
                f"{name} at {server.label} names {row.target} ({', '.join(reached)}), which is"
                " LAN 1 of no peer of the cluster.",
                f"Take {row.target} out of {name}, or let it name LAN 1 of a peer.",
                "PRE-22 SRV-18 SRV-21",
                peer_id=server.peer_id,
                evidence={**evidence, "target": row.target},
            )
        if row.port != service.port:
            yield warning(
                "srv-port-unusual",
                f"{name} at {server.label} has port {row.port} for {row.target}; the standard one"
                f" is {service.port}.",
                f"Use port {service.port}, or make sure that the peers listen on {row.port}.",
                service.requirements,
                peer_id=server.peer_id,
                evidence={**evidence, "port": str(row.port)},
            )
    missing = [host for host in of.peers if host.peer_id not in covered]
    if missing and not service.advice:
        who = ", ".join(host.fqdn or " ".join(host.addresses) for host in missing)
        yield blocker(
            "srv-target-missing",
            f"{name} at {server.label} does not name {who}.",
            f"Add a record for each: priority {rows[0].priority}, weight {rows[0].weight}, port"
            f" {service.port}.",
            SRV_SET,
            peer_id=server.peer_id,
            evidence={**evidence, "missing": who},
        )
    yield from _shares(server, name, ours, rows, evidence)


def _target(
    server: Server, row: Srv, reached: Sequence[str], evidence: Mapping[str, str]
) -> Iterator[Finding]:
    lookups = [server.said(row.target, kind) for kind in ("A", "AAAA")]
    if any(r.type == "CNAME" for lookup in lookups if lookup for r in lookup.records):
        yield warning(
            "srv-target-alias",
            f"{row.target}, named by {evidence['name']} at {server.label}, is an alias (CNAME).",
            "Let the SRV record name the host that has the A or AAAA record itself.",
            "SRV-18",
            peer_id=server.peer_id,
            evidence={**evidence, "target": row.target},
        )
    if not reached:
        yield blocker(
            "srv-target-unresolved",
            f"{row.target}, named by {evidence['name']} at {server.label}, has no address.",
            f"Add an A or AAAA record for {row.target}.",
            "PRE-05 SRV-18 SRV-39",
            peer_id=server.peer_id,
            evidence={**evidence, "target": row.target},
        )


def _strangers(
    server: Server,
    row: Srv,
    mine: Sequence[Host],
    reached: Sequence[str],
    evidence: Mapping[str, str],
) -> Iterator[Finding]:
    """Beside LAN 1 of a peer, a target has no address: callers would try that one as well."""
    more = sorted(set(reached) - {address for host in mine for address in host.addresses})
    if more:
        yield warning(
            "srv-target-more-addresses",
            f"{row.target}, named by {evidence['name']} at {server.label}, also has"
            f" {', '.join(more)}, which is LAN 1 of no peer of the cluster.",
            f"Take {', '.join(more)} away from {row.target}.",
            "PRE-22 SRV-18 SRV-21",
            peer_id=server.peer_id,
            evidence={**evidence, "target": row.target},
        )


def _shares(
    server: Server, name: str, ours: Sequence[Srv], rows: Sequence[Srv], evidence: Mapping[str, str]
) -> Iterator[Finding]:
    priorities = sorted({row.priority for row in ours})
    weights = sorted({row.weight for row in ours})
    if len(priorities) > 1:
        yield warning(
            "srv-priorities-differ",
            f"{name} at {server.label} gives the peers priorities"
            f" {', '.join(map(str, priorities))}: those with the larger one get no calls.",
            "Give all peers of the cluster the same priority.",
            "SRV-27 SRV-28 SRV-29",
            peer_id=server.peer_id,
            evidence=dict(evidence),
        )
    if len(weights) > 1:
        yield warning(
            "srv-weights-differ",
            f"{name} at {server.label} gives the peers weights {', '.join(map(str, weights))}.",
            "Give all peers the same weight, so that each is used equally.",
            "SRV-30",
            peer_id=server.peer_id,
            evidence=dict(evidence),
        )
    theirs = {row.priority for row in rows if row not in ours}
    if len(theirs - set(priorities)) > 1:
        yield warning(
            "srv-failover-priorities-differ",
            f"{name} at {server.label} gives hosts outside the cluster priorities"
            f" {', '.join(map(str, sorted(theirs)))}.",
            "All peers of the cluster that backs this one up have the same priority.",
            "SRV-27 SRV-28 SRV-29",
            peer_id=server.peer_id,
            evidence=dict(evidence),
        )
    if theirs & set(priorities):
        yield warning(
            "srv-failover-priority-same",
            f"{name} at {server.label} names hosts outside the cluster with the cluster's own"
            " priority.",
            "A cluster that backs this one up has another priority, the same for all its peers.",
            "SRV-28 SRV-29",
            peer_id=server.peer_id,
            evidence=dict(evidence),
        )


def _rows(server: Server, service: Service, domain: str) -> tuple[Srv, ...]:
    lookup = server.said(service.name(domain), "SRV")
    return () if lookup is None else targets(lookup)
