"""Checks with their outcomes, a cluster's names in DNS, and its ports."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from app.api.v1.schemas.plans import FindingRead, finding_read
from app.api.v1.schemas.words import CLUSTER, PEER, Told
from app.checks.port_rules import own_firewall_note
from app.checks.ports import IPSEC_PROFILE, Flow, flows
from app.checks.report import Checked, Outcome, Report
from app.dns.naptr import Dialable
from app.domain.dns import Lookup, Record
from app.domain.observation import NotObserved
from app.services.checks import Names, Ports


class CheckedRead(Told):
    """One check with its outcome."""

    key: str = Field(description="Which check.", examples=["h323-on"])
    title: str = Field(description="What should be so.", examples=["H.323 mode is On"])
    requirements: list[str] = Field(description="The guide's requirements.", examples=[["PRE-20"]])
    peer_id: str | None = Field(description="The peer it is about; null: all.", examples=[PEER])
    outcome: str = Field(description="pass, warning, unknown or blocker.", examples=["pass"])
    settled_by: str = Field(description="What would settle an unknown; else empty.", examples=[""])
    findings: list[FindingRead] = Field(description="What was found; may be empty.")


class CheckReport(Told):
    """Every check of a cluster, those that pass included."""

    cluster_id: str = Field(description="The cluster.", examples=[CLUSTER])
    outcome: str = Field(description="The worst outcome of all.", examples=["unknown"])
    passes: int = Field(description="How many checks pass.", examples=[50])
    warnings: int = Field(description="How many warn.", examples=[1])
    unknowns: int = Field(description="How many could not be settled.", examples=[2])
    blockers: int = Field(description="How many forbid a change.", examples=[0])
    checks: list[CheckedRead] = Field(description="In the order of the guide.")


class RecordRead(Told):
    """One resource record."""

    name: str = Field(description="Its name.", examples=["_sip._tcp.company.com."])
    type: str = Field(description="Its type.", examples=["SRV"])
    ttl: int = Field(description="Seconds it may be kept.", examples=[86400])
    data: str = Field(
        description="As a zone file has it.", examples=["1 1 5060 expe1.company.com."]
    )


class LookupRead(Told):
    """What one name server said to one question."""

    resolver: str = Field(description="The name server.", examples=["192.0.2.53"])
    peer_ids: list[str] = Field(description="The peers that use it.", examples=[[PEER]])
    name: str = Field(description="What was asked.", examples=["_sip._tcp.company.com"])
    type: str = Field(description="The record type.", examples=["SRV"])
    answer: str = Field(
        description="records, no-records, no-such-name, server-failure, refused, no-answer, "
        "malformed or not-asked.",
        examples=["records"],
    )
    detail: str = Field(description="More words where something went wrong.", examples=[""])
    records: list[RecordRead] = Field(description="What came back.")
    authority: list[RecordRead] = Field(description="The zone's name servers, where named.")
    command: str = Field(
        description="The same question for a terminal.",
        examples=["dig @192.0.2.53 _sip._tcp.company.com SRV"],
    )


class DnsRead(Told):
    """A cluster's DNS: expected, found, different."""

    cluster_id: str = Field(description="The cluster.", examples=[CLUSTER])
    name: str = Field(description="The cluster's FQDN.", examples=["company.com"])
    expected: list[RecordRead] = Field(description="SRV, address and PTR records to have.")
    optional: list[RecordRead] = Field(description="Records for audio-only calls.")
    zone_text: str = Field(description="The same as a zone file, to paste.")
    found: list[LookupRead] = Field(description="What each name server said.")
    differences: list[FindingRead] = Field(description="What should be mended, or is not known.")
    not_observed: list[NotObserved] = Field(description="Peers whose names are not known.")


class DialableRead(Told):
    """One way to reach a number."""

    order: int = Field(description="Lower is tried first.", examples=[10])
    preference: int = Field(description="Decides between equal orders.", examples=[100])
    service: str = Field(description="What kind of call.", examples=["E2U+sip"])
    uri: str = Field(description="What is dialled.", examples=["bob@example.com"])


class EnumAnswer(Told):
    """What one name server makes of the number."""

    lookup: LookupRead = Field(description="Its answer.")
    uris: list[DialableRead] = Field(description="In the order they are tried.")


class EnumRead(Told):
    """A telephone number, looked up."""

    number: str = Field(description="The number.", examples=["8734"])
    name: str = Field(description="The ENUM name.", examples=["4.3.7.8.enum4.example.com"])
    answers: list[EnumAnswer] = Field(description="By name server.")


class FlowRead(Told):
    """One kind of traffic that must pass between every pair of peers, both ways."""

    protocol: str = Field(description="udp, tcp or ah (IP protocol 51).", examples=["udp"])
    first_port: int | None = Field(description="Destination port; null for AH.", examples=[500])
    last_port: int | None = Field(description="End of the range.", examples=[500])
    purpose: str = Field(description="What it is for.", examples=["ISAKMP"])
    configurable: bool = Field(description="Whether an administrator may have changed the port.")
    requirements: list[str] = Field(description="The guide's requirements.", examples=[["NET-03"]])


class PortPeer(Told):
    """A peer of the matrix."""

    peer_id: str = Field(description="The peer.", examples=[PEER])
    name: str = Field(description="Its name.", examples=["exp1"])
    address: str = Field(description="Its LAN 1 address.", examples=["192.0.2.11"])


class IpsecRead(Told):
    """How peers of X8.1 and X8.2 secure each other (NET-08 to NET-13)."""

    encryption: str = Field(description="Cipher.", examples=["AES256"])
    authentication: str = Field(description="Hash.", examples=["SHA256, 4096 bit key length"])
    peer_identity: str = Field(description="Who a peer is.", examples=["IP address"])
    peer_authentication: str = Field(description="How it proves it.", examples=["pre-shared key"])
    ike_exchange: str = Field(description="IKE mode.", examples=["main mode"])
    diffie_hellman_group: str = Field(description="Group.", examples=["modp4096"])


class PortsRead(Told):
    """Which traffic must pass between the peers (guide p.29)."""

    cluster_id: str = Field(description="The cluster.", examples=[CLUSTER])
    software_version: str | None = Field(
        description="What the peers run; null: none of them said.", examples=["X8.2"]
    )
    profile: str = Field(description="The version the matrix is for.", examples=["X8.2"])
    peers: list[PortPeer] = Field(description="Every pair of these, both ways.")
    flows: list[FlowRead] = Field(description="What must be open.")
    own_firewall: str = Field(description="What the peers' own Firewall rules must leave alone.")
    ipsec: IpsecRead | None = Field(description="Null where the version uses TLS instead.")


def report_read(cluster_id: str, of: Report) -> CheckReport:
    """As a reader sees it."""
    return CheckReport(
        cluster_id=cluster_id,
        outcome=of.outcome.value,
        passes=of.counts[Outcome.PASS],
        warnings=of.counts[Outcome.WARNING],
        unknowns=of.counts[Outcome.UNKNOWN],
        blockers=of.counts[Outcome.BLOCKER],
        checks=[_checked(checked) for checked in of.checks],
    )


def dns_read(of: Names) -> DnsRead:
    """As a reader sees it."""
    users = of.view.users()
    wanted = (*of.expected.services, *of.expected.addresses, *of.expected.reverse)
    return DnsRead(
        cluster_id=of.cluster.id,
        name=of.cluster.name,
        expected=[_record(record) for record in wanted],
        optional=[_record(record) for record in of.expected.optional],
        zone_text=of.zone_text,
        found=[lookup_read(lookup, users.get(lookup.resolver, ())) for lookup in of.view.lookups],
        differences=[finding_read(finding) for finding in of.findings],
        not_observed=list(of.not_observed),
    )


def enum_read(
    number: str, name: str, answers: Sequence[tuple[Lookup, Sequence[Dialable]]]
) -> EnumRead:
    """As a reader sees it."""
    return EnumRead(
        number=number,
        name=name,
        answers=[
            EnumAnswer(
                lookup=lookup_read(lookup, ()),
                uris=[DialableRead.model_validate(uri) for uri in uris],
            )
            for lookup, uris in answers
        ],
    )


def lookup_read(lookup: Lookup, users: Sequence[str]) -> LookupRead:
    """As a reader sees it."""
    return LookupRead(
        resolver=lookup.resolver,
        peer_ids=list(users),
        name=lookup.question.name,
        type=lookup.question.type,
        answer=lookup.answer.value,
        detail=lookup.detail,
        records=[_record(record) for record in lookup.records],
        authority=[_record(record) for record in lookup.authority],
        command=lookup.command,
    )


def ports_read(of: Ports) -> PortsRead:
    """As a reader sees it."""
    return PortsRead(
        cluster_id=of.cluster.id,
        software_version=of.software_version or None,
        profile=of.profile.name,
        peers=[PortPeer(peer_id=p.id, name=p.name, address=p.address) for p in of.peers],
        flows=[_flow(flow) for flow in flows(of.profile)],
        own_firewall=own_firewall_note(of.profile),
        ipsec=IpsecRead(**IPSEC_PROFILE) if of.profile.pre_shared_key else None,
    )


def _checked(of: Checked) -> CheckedRead:
    return CheckedRead(
        key=of.key,
        title=of.title,
        requirements=list(of.requirements),
        peer_id=of.peer_id,
        outcome=of.outcome.value,
        settled_by=of.settled_by,
        findings=[finding_read(finding) for finding in of.findings],
    )


def _record(of: Record) -> RecordRead:
    return RecordRead.model_validate(of)


def _flow(of: Flow) -> FlowRead:
    first, last = of.ports or (None, None)
    return FlowRead(
        protocol=of.protocol,
        first_port=first,
        last_port=last,
        purpose=of.purpose,
        configurable=of.standard,
        requirements=of.requirements.split(),
    )
