"""`/v1/clusters/{id}/checks`, `/dns`, `/enum` and `/ports`: looked at now, nothing changed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response

from app.api.dependencies import ClustersReader, ServicesOf
from app.api.problems import responses
from app.api.v1.schemas.checks import (
    CheckReport,
    DnsRead,
    EnumRead,
    PortsRead,
    dns_read,
    enum_read,
    ports_read,
    report_read,
)
from app.api.v1.schemas.clusters import Fqdn
from app.api.v1.schemas.words import ClusterId, Id
from app.checks.port_rules import RuleFormat
from app.dns.naptr import enum_name

router = APIRouter(prefix="/v1/clusters", tags=["checks"], redirect_slashes=False)

Candidates = Annotated[
    list[Id] | None,
    Query(
        alias="candidate",
        max_length=6,
        description="Peers that are to join the cluster, looked at with its members.",
        examples=[["peer-06f3k2m8q1v5x7z9b2d4f6h8j0"]],
    ),
]

_AS_TEXT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "JSON, or with another `format` text to paste.",
        "content": {
            "text/plain": {
                "schema": {"type": "string"},
                "example": "Ports between the peers of cluster.example.com, every pair:",
            },
            "text/csv": {
                "schema": {"type": "string"},
                "example": "source,destination,protocol,first_port,last_port,purpose,"
                "requirements\r\n",
            },
        },
    }
}


@router.get(
    "/{cluster_id}/checks",
    operation_id="checkCluster",
    summary="Run every check",
    responses=responses("not-found", "invalid-request"),
)
async def checks(
    cluster_id: ClusterId,
    _caller: ClustersReader,
    services: ServicesOf,
    candidate: Candidates = None,
) -> CheckReport:
    """Every check of the guide over what is so now, those that pass included.

    An outcome `unknown` says what would settle it and never counts as a pass. Changes nothing.
    """
    found = await services.checks.report(cluster_id, candidate or ())
    return report_read(cluster_id, found)


@router.get(
    "/{cluster_id}/dns",
    operation_id="checkClusterDns",
    summary="Compare a cluster's DNS with what it needs",
    responses=responses("not-found", "invalid-request"),
)
async def dns(
    cluster_id: ClusterId,
    _caller: ClustersReader,
    services: ServicesOf,
    candidate: Candidates = None,
    name: Annotated[
        list[Fqdn] | None,
        Query(
            max_length=10,
            description="Further names that must have an address, such as a Lync server's.",
            examples=[["lync.example.com"]],
        ),
    ] = None,
) -> DnsRead:
    """Asks each peer's own name servers for SRV, NAPTR, forward and reverse records.

    Says what should be there, what is, in what they differ, and gives the zone text to paste.
    """
    return dns_read(await services.checks.names(cluster_id, candidate or (), name or ()))


@router.get(
    "/{cluster_id}/enum",
    operation_id="lookUpNumber",
    summary="Look up a telephone number",
    responses=responses("not-found", "invalid-request"),
)
async def enum(
    cluster_id: ClusterId,
    _caller: ClustersReader,
    services: ServicesOf,
    number: Annotated[
        str,
        Query(
            max_length=33,
            pattern=r"^\+?[0-9]{1,32}$",
            description="The number.",
            examples=["8734"],
        ),
    ],
    zone: Annotated[Fqdn, Query(description="The ENUM zone.", examples=["enum4.example.com"])],
) -> EnumRead:
    """What the name servers of the cluster's peers make of a number: the URIs that are dialled."""
    answers = await services.checks.enum(cluster_id, number, zone)
    return enum_read(number, enum_name(number, zone), answers)


@router.get(
    "/{cluster_id}/ports",
    operation_id="listClusterPorts",
    summary="List the ports between the peers",
    response_model=PortsRead,
    responses={**responses("not-found", "invalid-request"), **_AS_TEXT},
)
async def ports(
    cluster_id: ClusterId,
    _caller: ClustersReader,
    services: ServicesOf,
    candidate: Candidates = None,
    as_format: Annotated[
        RuleFormat | None,
        Query(
            alias="format",
            description="Without it JSON; else the matrix as text to paste into a firewall.",
            examples=["nftables"],
        ),
    ] = None,
) -> PortsRead | Response:
    """Which traffic must pass between every pair of peers, for the version they run (guide p.29).

    The rules to paste only accept; read them before you load them.
    """
    found = await services.checks.ports(cluster_id, candidate or ())
    if as_format is None:
        return ports_read(found)
    kind = "text/csv" if as_format is RuleFormat.CSV else "text/plain"
    return PlainTextResponse(found.text(as_format), media_type=kind)
