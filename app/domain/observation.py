"""What one peer said of itself at one moment. Never edited.

A fact the peer could not tell is `None` and has an entry in `unknown` that says what would settle
it; nothing above takes a missing fact for a good one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Lan:
    """One Ethernet interface, LAN 1 or LAN 2. Empty strings where nothing is configured."""

    index: int
    speed: str | None
    ipv4: str
    ipv4_mask: str
    ipv6: str
    static_nat: bool | None


@dataclass(frozen=True, slots=True)
class Dns:
    """System > DNS."""

    host_name: str
    domain: str
    servers: tuple[str, ...]

    @property
    def fqdn(self) -> str:
        """`<System host name>.<DNS domain name>` (NEW-M-23); "" while either is missing."""
        return f"{self.host_name}.{self.domain}" if self.host_name and self.domain else ""


@dataclass(frozen=True, slots=True)
class Ntp:
    """System > Time. `state` is its State word, `Synchronized` when good; None where unknown."""

    servers: tuple[str, ...]
    state: str | None

    @property
    def synchronised(self) -> bool:
        """Whether the peer says that its time is right; the word is spelt in two ways."""
        return (self.state or "").casefold() in {"synchronized", "synchronised"}


@dataclass(frozen=True, slots=True)
class ClusterPeer:
    """One `Peer n IP address` field. `status` is the word beside it, None where unknown."""

    index: int
    address: str
    status: str | None


@dataclass(frozen=True, slots=True)
class Clustering:
    """System > Clustering as the peer has it."""

    cluster_name: str
    primary_index: int | None
    peers: tuple[ClusterPeer, ...]
    """Filled fields only, by index."""
    pre_shared_key_set: bool | None
    database_status: str | None
    """`Active` when healthy; None where this peer's access paths do not show it."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The configured peer addresses in the order of their fields."""
        return tuple(peer.address for peer in self.peers)

    @property
    def fields(self) -> tuple[str, ...]:
        """The peer fields up to the last one that is filled; an empty one between them is ""."""
        by_index = {peer.index: peer.address for peer in self.peers}
        return tuple(by_index.get(n, "") for n in range(1, max(by_index, default=0) + 1))

    @property
    def has_holes(self) -> bool:
        """Whether an empty field stands before a filled one (RML-23)."""
        return "" in self.fields

    @property
    def primary_address(self) -> str | None:
        """The address in the field that `Configuration master` names; None where there is none."""
        for peer in self.peers:
            if peer.index == self.primary_index:
                return peer.address
        return None

    def status_of(self, address: str) -> str | None:
        """The status word beside that address."""
        for peer in self.peers:
            if peer.address == address:
                return peer.status
        return None


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone that names other systems; `kind` is `Neighbor`, `TraversalClient`, ..."""

    index: int
    name: str
    kind: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One warning of the status. `number` is the five-digit id where the UUID or title tells it."""

    uuid: str
    title: str
    description: str
    acknowledged: bool
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """Facts read from one peer at one moment."""

    peer_id: str
    observed_at: datetime
    product: str
    software_version: str
    serial_number: str
    hardware: str
    uptime: int | None
    """Seconds since the appliance started."""
    system_name: str
    lans: tuple[Lan, ...]
    gateway: str
    dual_interfaces: bool | None
    dns: Dns
    ntp: Ntp
    h323_on: bool | None
    call_signaling_optimized: bool | None
    """Configuration > Call routing > Call signaling optimization is On."""
    maintenance_mode: bool | None
    clustering: Clustering
    zones: tuple[Zone, ...]
    option_keys: tuple[str, ...] | None
    features: Mapping[str, str]
    """What the installed keys switch on, by the status' own names; licence counts included."""
    alarms: tuple[Alarm, ...]
    calls: int | None
    admin_accounts: tuple[str, ...] | None
    ldap_login: bool | None
    shared_digest: str
    """SHA-256 over the configuration that is not peer-specific (guide p.16-17)."""
    at_defaults: bool | None
    """Whether nothing of the replicated configuration differs from the factory's."""
    default_links: bool | None
    """Whether the default links are all there."""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Fact name -> what would settle it, for every fact the peer could not tell."""
    external_manager: str = ""
    """Address or name of the external manager; "" where none is set."""
    ldap_server: str = ""
    """Address or name of the LDAP server of administrator log-in; "" where none is set."""
    clock_offset: float | None = None
    """Seconds the peer's clock is ahead of ours, to the second; None where it cannot be compared
    (no SystemTime, or a rehearsal whose clock runs fast)."""
    round_trip_from_here: float | None = None
    """Milliseconds to the peer and back, from this service: the smallest that the connections of
    this look have seen. None where no connection tells."""

    @property
    def address(self) -> str:
        """The LAN 1 address, the one that peer lists must name (NEW-M-39)."""
        for lan in self.lans:
            if lan.index == 1:
                return lan.ipv4 or lan.ipv6
        return ""

    @property
    def label(self) -> str:
        """What people call this peer: its System name, else its address."""
        return self.system_name or self.address or self.peer_id

    @property
    def restart_required(self) -> bool:
        """Whether an alarm demands a restart."""
        return any(alarm.title.casefold() == "restart required" for alarm in self.alarms)

    @property
    def takes_itself_for_primary(self) -> bool:
        """Whether this peer's own configuration names it the configuration master of a cluster."""
        return bool(self.address) and self.clustering.primary_address == self.address


@dataclass(frozen=True, slots=True)
class NotObserved:
    """A peer that could not be read, and why; `code` is such as `peer-unreachable`."""

    peer_id: str
    observed_at: datetime
    code: str
    detail: str
    remedy: str


View = Observation | NotObserved
