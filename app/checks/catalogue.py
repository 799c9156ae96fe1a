"""All checks by name, in the order of the guide: what each looks at, and about whom it speaks.

The catalogue is the one list that the report, the documentation and the tests go through; a check
that is not in it is not shown to anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from app.checks import access, dns, equality, licences, membership, naming, network, paths, standing
from app.checks.check import Check, Concern, OnCluster, OnPeer, Subject
from app.domain.finding import Finding, Severity
from app.domain.observation import Observation

DATABASE = "cluster-database-not-active"


def _peer(
    key: str,
    title: str,
    cites: str,
    run: OnPeer,
    concern: Concern = Concern.ALL,
    *,
    without_observation: bool = False,
) -> Check:
    return Check(
        key, title, tuple(cites.split()), on_peer=run, concern=concern,
        without_observation=without_observation,
    )  # fmt: skip


def _all(
    key: str,
    title: str,
    cites: str,
    run: OnCluster,
    concern: Concern = Concern.ALL,
    *,
    needs_all: bool = True,
) -> Check:
    return Check(
        key, title, tuple(cites.split()), on_cluster=run, concern=concern, needs_all=needs_all
    )


def _seen(check: Callable[[Observation], Iterable[Finding]]) -> OnPeer:
    """A check that needs nothing but the peer's observation."""

    def run(_: Subject, seen: Observation) -> Iterable[Finding]:
        return check(seen)

    return run


def _not_seen(_: Subject, __: Observation) -> Iterable[Finding]:
    """The check that runs on what is not an observation as well (`without_observation`)."""
    return ()


def _pairwise(
    check: Callable[[list[Observation]], Iterable[Finding]],
) -> OnCluster:
    """A check that compares peers and needs at least one."""

    def run(subject: Subject) -> Iterable[Finding]:
        return check(subject.everyone) if subject.everyone else ()

    return run


def _agreement(subject: Subject) -> Iterable[Finding]:
    return membership.members_agree(subject.situation.cluster, subject.situation.views)


def _listed(subject: Subject, seen: Observation) -> Iterable[Finding]:
    """Of the registered Expressways; a plan has a gate for those that are not registered."""
    s = subject.situation
    found = membership.not_listed_elsewhere(subject.peer(seen.peer_id), s.views, subject.members)
    others = [peer for i, peer in s.peers.items() if i not in {seen.peer_id, *subject.members}]
    return [
        *(finding for finding in found if finding.severity is not Severity.UNKNOWN),
        *membership.unregistered_or_silent(others, s.views),
    ]


def _zones(subject: Subject, seen: Observation) -> Iterable[Finding]:
    others = [
        (subject.peer(i), o.dns.fqdn if (o := subject.observed(i)) else "")
        for i in subject.ids
        if i != seen.peer_id
    ]
    return membership.zones_do_not_name(seen, others)


CHECKS: tuple[Check, ...] = (
    _peer("access", "The peer answers and takes our log-in", "PRE-01 NEW-M-03 ADD-X-03",
          _not_seen, without_observation=True),
    _peer("local-login", "Administrators can log in without LDAP", "ADD-J-04 ADD-J-05",
          _seen(access.local_login), Concern.CANDIDATES),
    _peer("software-covered", "The guide covers the software", access.SUPPORTED_VERSIONS,
          _seen(access.version_applies)),
    _all("same-software", "All peers run the same software", "PRE-02 PRE-03",
         _pairwise(equality.same_version)),
    _all("cluster-name", "The cluster name is a routable FQDN", "NEW-M-31 NEW-M-32 SRV-21",
         lambda s: naming.cluster_name(s.situation.cluster.name), needs_all=False),
    _all("dns-records", "SRV, forward and reverse records for all peers and names",
         f"{dns.EVERYTHING} SRV-27 SRV-30", lambda s: dns.dns_records(s.situation, s.everyone)),
    _all("different-addresses", "No address is used twice, IPv4 or IPv6", "PRE-06 PRE-07",
         _pairwise(network.different_addresses)),
    _all("round-trips", "The round trip between every pair is 30 ms at most", "PRE-08",
         lambda s: paths.round_trips(s.everyone, s.situation.round_trips)),
    _all("direct-routing", "Peers reach each other directly, without NAT",
         "PRE-09 PRE-10 NET-10",
         lambda s: paths.direct(s.everyone, s.situation.round_trips)),
    _all("firewalls", "Firewalls let the cluster's traffic through",
         "PRE-11 NET-01 NET-02 NET-03 NET-04 NET-05 NET-06 NET-07",
         lambda s: paths.firewalls() if len(s.ids) > 1 else (), needs_all=False),
    _peer("no-nat-on-lan-1", "Static NAT is off on LAN 1", "PRE-10 NEW-M-40 ADD-M-09 ALM-41",
          _seen(network.no_nat_on_lan_1)),
    _all("lan-1-in-peer-lists", "Peer lists name LAN 1 addresses", "NEW-M-39 ADD-M-08 ALM-39",
         lambda s: standing.peer_list_names_lan_1(s.everyone)),
    _all("equivalent-hardware", "Hardware has equivalent capabilities", "PRE-12 PRE-13 PRE-14",
         _pairwise(equality.equivalent_hardware)),
    _all("same-option-keys", "All peers have the same option keys", "PRE-15 PRE-16 PRE-17",
         _pairwise(equality.same_option_keys)),
    _peer("option-keys-active", "No restart is pending after an option key", "PRE-18",
          _seen(standing.option_keys_active)),
    _all("different-names", "System names and host names differ", "PRE-19 NEW-M-21 ADD-J-10",
         _pairwise(naming.different_names)),
    _peer("h323-on", "H.323 mode is On", "PRE-20 PRE-21", _seen(network.h323_on)),
    _peer("ethernet-speed", "The Ethernet speed is valid", "NEW-M-04 ADD-X-04",
          _seen(network.ethernet_speed)),
    _peer("lan-address", "LAN 1 has the registered address", "NEW-M-05 NEW-M-39 ADD-X-05",
          lambda s, o: network.lan_address(o, s.peer(o.peer_id))),
    _peer("gateway", "The gateway is in a network of the peer", "NEW-M-06 ADD-X-06",
          _seen(network.gateway)),
    _peer("dns-servers", "DNS servers and domain are set", "NEW-M-10 NEW-M-11 ADD-X-10",
          _seen(naming.dns_servers)),
    _peer("time-synchronised", "NTP works: State is Synchronized", "NEW-M-13 NEW-M-14 ADD-X-13",
          _seen(naming.time_synchronised)),
    _all("clocks-agree", "The clocks show the same time", "NEW-M-13 ADD-X-13",
         lambda s: standing.clocks_agree(s.everyone)),
    _peer("no-peers-configured", "A peer that is to join lists no peers",
          "NEW-M-15 NEW-M-16 ADD-X-15 ADD-X-16",
          _seen(membership.no_peers_configured), Concern.CANDIDATES),
    _peer("not-listed-elsewhere", "No registered Expressway lists a peer that is to join",
          "NEW-O-01 ADD-X-01", _listed, Concern.CANDIDATES),
    _peer("zones", "No zone names a peer of the cluster", "NEW-M-17 NEW-M-18 ADD-M-01 ADD-M-02",
          _zones),
    _peer("host-name", "The DNS host name is one label", "NEW-M-19 NEW-M-22 NEW-M-23 ADD-J-08",
          _seen(naming.host_name)),
    _all("room", "The cluster has six peers at most", "ADD-04 ADD-M-05",
         lambda s: membership.room_for(s.situation.cluster, s.candidates), needs_all=False),
    _all("members-agree", "Members agree on name, list and primary",
         "ADD-N-02 ADD-N-04 ADD-N-05",
         lambda s: [f for f in _agreement(s) if f.code != DATABASE], Concern.MEMBERS),
    _all("members-joined", "Members and their databases are Active to each other", "ADD-F-06",
         lambda s: [*standing.members_joined(s.present_members),
                    *(f for f in _agreement(s) if f.code == DATABASE)], Concern.MEMBERS),
    _all("same-configuration", "Members share one configuration", "INT-10 INT-15 INT-16",
         lambda s: standing.same_configuration(s.present_members) if s.present_members else (),
         Concern.MEMBERS),
    _peer("alarms", "No alarm stands", "NEW-F-08 ADD-X-17", _seen(standing.no_alarms)),
    _all("licence-grace", "No lost member's two weeks are running", "INT-12 INT-13",
         lambda s: licences.grace(s.situation.cluster, s.situation.views, s.lost_since, s.now),
         Concern.MEMBERS, needs_all=False),
    _peer("lost-peer-licences", "No licences of a lost peer are in use", "INT-12 INT-13",
          _seen(licences.of_lost_peers)),
    _all("licence-capacity", "Call licences are left", "INT-11 INT-14",
         lambda s: licences.capacity(s.everyone)),
    _peer("peer-capacity", "No peer carries more calls than its platform can", "INT-14",
          _seen(licences.calls_of_a_peer)),
    _peer("certificate", "The server certificate lasts", "ADD-F-08 PSI-28",
          lambda s, o: standing.certificate_valid(o, s.certificates, s.now)),
)  # fmt: skip
"""In the order of the guide: prerequisites (p.5), review (p.9-12), health, licences."""
