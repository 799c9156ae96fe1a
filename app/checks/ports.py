"""Which traffic must pass between the peers of a cluster (guide p.29), as data.

A firewall between peers is unusual (NET-01); where there is one, every flow here must be open
between every pair of peers, in both directions (NET-02). Later versions synchronise over other
ports than X8.2 (device facts 10), so the flows belong to a version. How they are written down for a
firewall: `port_rules`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.appliance.profiles import VersionProfile
from app.domain.peer import Peer

UDP, TCP, AH = "udp", "tcp", "ah"
AH_NUMBER = 51
"""IP protocol number of IPSec AH (NET-06)."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One kind of traffic. `ports` are the first and last destination port; None for AH.

    `standard` marks SIP and H.323 signalling, whose ports an administrator may have changed.
    """

    protocol: str
    ports: tuple[int, int] | None
    purpose: str
    requirements: str
    standard: bool = False

    @property
    def label(self) -> str:
        """`UDP 500`, `TCP 4369-4380`, `IP protocol 51 (AH)`."""
        if self.ports is None:
            return f"IP protocol {AH_NUMBER} (AH)"
        first, last = self.ports
        return f"{self.protocol.upper()} {first}" + (f"-{last}" if last != first else "")


@dataclass(frozen=True, slots=True)
class Rule:
    """One flow from one peer to another."""

    source: Peer
    destination: Peer
    flow: Flow


SIGNALLING = (
    Flow(UDP, (1719, 1719), "H.323 RAS and bandwidth updates between peers", "NET-04 NET-05"),
    Flow(TCP, (1720, 1720), "H.323 call signalling", "NET-04", standard=True),
    Flow(TCP, (5060, 5061), "SIP over TCP and TLS", "NET-04", standard=True),
    Flow(UDP, (5060, 5060), "SIP over UDP, where it is switched on", "NET-04", standard=True),
)
IPSEC = (
    Flow(UDP, (500, 500), "ISAKMP: key exchange for IPSec", "NET-03"),
    Flow(AH, None, "IPSec AH: database synchronization", "NET-06"),
)
OWN_FIREWALL = (4369, 4380)
"""UDP ports that a peer's own Firewall rules must neither drop nor reject (NET-07)."""
_BY_VERSION = {
    "X8.5-X8.7": (
        *IPSEC,
        Flow(TCP, (4369, 4380), "database synchronization (device facts 10)", "NET-02"),
        Flow(UDP, (4371, 4371), "recovery of the database link (device facts 10)", "NET-02"),
    ),
    "X8.8-X8.10": (
        Flow(TCP, (4371, 4372), "database recovery and synchronization over TLS", "NET-02"),
    ),
}
_BY_VERSION["X8.11 and later"] = _BY_VERSION["X8.8-X8.10"]
_BY_VERSION["X12.5 and later"] = _BY_VERSION["X8.8-X8.10"]

IPSEC_PROFILE = {
    "encryption": "AES256",
    "authentication": "SHA256, 4096 bit key length",
    "peer_identity": "IP address",
    "peer_authentication": "pre-shared key",
    "ike_exchange": "main mode",
    "diffie_hellman_group": "modp4096",
}
"""How peers of X8.1 and X8.2 secure each other (NET-08 to NET-13)."""


def flows(profile: VersionProfile) -> tuple[Flow, ...]:
    """What must be open between peers of that version; X8.2's for one that is not known."""
    return (*_BY_VERSION.get(profile.name, IPSEC), *SIGNALLING)


def rules(peers: Sequence[Peer], profile: VersionProfile) -> tuple[Rule, ...]:
    """Every flow between every ordered pair: each peer talks to each other one."""
    return tuple(
        Rule(source, destination, flow)
        for flow in flows(profile)
        for source in peers
        for destination in peers
        if source.id != destination.id
    )
