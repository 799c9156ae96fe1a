"""The guide's table of settings that each peer holds for itself (p.16-17), as data.

Paths are those of the X8.2 command line; a value whose path a peer does not show is unknown, never
taken for equal. Paths marked "not on record" in the device facts are probed like the others.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Rule(enum.StrEnum):
    """What the guide wants of one setting across the peers."""

    EQUAL = "must_be_equal"
    """Held by each peer, and the same on all."""
    DIFFERENT = "must_differ"
    """Held by each peer, and no two the same."""
    OWN = "may_differ"
    """Held by each peer; whatever suits it."""
    SHARED = "shared"
    """Replicated from the primary; to be changed there only."""


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One row of the table: page and label of the web interface, and where its values are.

    `paths` are leading words of configuration paths. `advice` is what the guide adds.
    """

    page: str
    label: str
    rule: Rule
    requirements: str
    paths: tuple[str, ...] = ()
    advice: str = ""


TABLE: tuple[SettingRow, ...] = (
    SettingRow("System > Clustering", "Peer IP addresses", Rule.EQUAL, "PSI-03 PSI-04",
               ("Alternates Peer",), "The same list, own address included, on every peer."),
    SettingRow("System > Clustering", "Configuration master", Rule.EQUAL, "PSI-03 PSI-04",
               ("Alternates ConfigurationMaster", "Alternates ConfigurationPrimary")),
    SettingRow("System > Clustering", "Cluster name", Rule.EQUAL, "PSI-05",
               ("Alternates Cluster Name",)),
    SettingRow("System > Clustering", "Cluster pre-shared key", Rule.EQUAL, "PSI-06", (),
               "Cannot be read back: entered by the procedures on every peer; a difference shows"
               " as a communication failure."),
    SettingRow("System > Ethernet", "Ethernet speed", Rule.OWN, "PSI-07 PSI-08",
               ("Ethernet 1 Speed", "Ethernet 2 Speed"), "As the attached switch needs it."),
    SettingRow("System > IP", "IPv4 address", Rule.DIFFERENT, "PSI-09 PSI-10",
               ("Ethernet 1 IP V4 Address",)),
    SettingRow("System > IP", "IPv6 address", Rule.DIFFERENT, "PSI-09 PSI-11",
               ("Ethernet 1 IP V6 Address",)),
    SettingRow("System > IP", "IP gateway", Rule.OWN, "PSI-12", ("IP Gateway", "IP V6 Gateway")),
    SettingRow("System > IP", "IP routes", Rule.OWN, "PSI-13", ("IP Route",)),
    SettingRow("System > IP", "IP protocol", Rule.SHARED, "PSI-14", ("IPProtocol",),
               "The exception of the page: all peers support the same protocols."),
    SettingRow("System > Administration", "System name", Rule.DIFFERENT, "PSI-15",
               ("SystemUnit Name",)),
    SettingRow("System > DNS", "DNS servers", Rule.OWN, "PSI-16",
               ("IP DNS Server", "DNS Server")),
    SettingRow("System > DNS", "System host name", Rule.DIFFERENT, "PSI-17 NEW-M-21 ADD-J-10",
               ("IP DNS Hostname",),
               "Each peer needs a name of its own (p.5)."),
    SettingRow("System > DNS", "Domain name", Rule.OWN, "PSI-18", ("IP DNS Domain Name",)),
    SettingRow("System > Time", "NTP servers", Rule.OWN, "PSI-19 PSI-20", ("NTP Server",)),
    SettingRow("System > Time", "Time zone", Rule.OWN, "PSI-21", ("TimeZone",)),
    SettingRow("System > SNMP", "SNMP settings", Rule.OWN, "PSI-22", ("SNMP",)),
    SettingRow("Status > Logs", "Event Log, Configuration Log", Rule.OWN, "PSI-23", (),
               "Each peer's log holds its own activity only."),
    SettingRow("Maintenance > Logging", "Log level", Rule.OWN, "PSI-24", ("Log Level",)),
    SettingRow("Maintenance > Logging", "Remote syslog servers", Rule.OWN, "PSI-25 PSI-26",
               ("RemoteSyslog",),
               "Recommended: one common server, which gives a view of the whole cluster."),
    SettingRow("Maintenance > Security certificates", "Trusted CA certificate", Rule.OWN, "PSI-27",
               (), "Uploaded to each peer on its own."),
    SettingRow("Maintenance > Security certificates", "Server certificate", Rule.OWN, "PSI-28", (),
               "Uploaded to each peer on its own."),
    SettingRow("Maintenance > Security certificates", "Revocation lists", Rule.OWN, "PSI-29", (),
               "Uploaded to each peer on its own."),
    SettingRow("System > Administration", "Serial port / console", Rule.OWN, "PSI-30",
               ("Administration Serial", "Administration LCDPanel")),
    SettingRow("System > Administration", "SSH service", Rule.OWN, "PSI-31",
               ("Administration SSH",)),
    SettingRow("System > Administration", "Web interface (over HTTPS)", Rule.OWN, "PSI-32",
               ("Administration HTTPS",)),
    SettingRow("System > Administration", "Redirect HTTP requests to HTTPS", Rule.OWN, "PSI-33",
               ("Administration HTTP",)),
    SettingRow("System > Administration", "Automated protection service", Rule.OWN, "PSI-34",
               ("Administration AutomatedProtection",)),
    SettingRow("Maintenance > Option keys", "Option keys", Rule.OWN, "PSI-35 PSI-37", ("Option",),
               "Bought for each peer; what they switch on is compared below."),
)  # fmt: skip

FEATURES = SettingRow(
    "Maintenance > Option keys", "What the option keys switch on", Rule.EQUAL, "PSI-36 PSI-38"
    " PSI-39", (), "Call, rich media session and TURN relay licences may sit on any peer.",
)  # fmt: skip
"""Read from the status, not from the configuration."""

ANYWHERE = ("NonTraversalCalls", "TraversalCalls", "RichMediaSessions", "TurnRelays", "TURNRelays")
"""Licence counts that may differ from peer to peer (PSI-38, PSI-39, PRE-16)."""
EVERYTHING_ELSE = "PSI-01 PSI-02 PSI-40 PSI-41 PSI-42"
"""What the guide says of all settings that are not in the table."""
