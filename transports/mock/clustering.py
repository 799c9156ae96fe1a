"""What one appliance makes of its clustering settings: who it talks to, and which alarms it raises.

Settings are saved at once, but an appliance takes up (or leaves) clustering, and a new cluster name
or pre-shared key, only when it restarts; a peer list and the configuration master of a running
member apply when saved (guide p.12-15, 18, 24). Two appliances are *linked* while the inter-peer
connection can exist at all, and *joined* once they agreed on everything; only a joined peer shows
as Active, and replication waits until every listed peer has joined (guide p.13).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from transports.mock.alarms import REPLICATION
from transports.mock.replication import Replication

if TYPE_CHECKING:
    from transports.mock.configuration import Configuration
    from transports.mock.expressway import Expressway

MAX_PEERS = 6


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """The clustering page as saved. `peers` are the six fields, empty ones included."""

    name: str
    master: int
    peers: tuple[str, ...]
    key: str = field(repr=False, default="")

    @property
    def listed(self) -> tuple[str, ...]:
        """The filled peer fields."""
        return tuple(peer for peer in self.peers if peer)

    @property
    def master_address(self) -> str:
        """The address in the field that the configuration master names; "" where empty."""
        return self.peers[self.master - 1]


@dataclass(slots=True)
class Watch:
    """What is known of one listed peer: when it was listed, and since when it is joined."""

    listed_at: float
    joined_at: float | None = None


class ClusterMember:
    """The clustering of one appliance."""

    def __init__(self, owner: Expressway) -> None:
        self._owner = owner
        self.key = ""
        """The saved pre-shared key."""
        self.watches: dict[str, Watch] = {}
        self.met: set[str] = set()
        """Addresses in the present list that have joined at some time."""
        self.replication = Replication(owner, self)
        self._read: tuple[Configuration, int, ClusterSettings] | None = None
        self._applied = self.saved()
        self._last = self._applied

    def saved(self) -> ClusterSettings:
        """The settings as they stand on the clustering page."""
        configuration = self._owner.configuration
        if self._read is not None:
            read, writes, settings = self._read
            if read is configuration and writes == configuration.writes:
                return settings if settings.key == self.key else replace(settings, key=self.key)
        get = configuration.get
        settings = ClusterSettings(
            get("Alternates Cluster Name"),
            int(get(f"Alternates {self._owner.profile.master_item}")),
            tuple(get(f"Alternates Peer {n} Address") for n in range(1, MAX_PEERS + 1)),
            self.key,
        )
        self._read = (configuration, configuration.writes, settings)
        return settings

    @property
    def running(self) -> bool:
        """Whether clustering is up: configured at the last start and still configured."""
        return self._owner.up and bool(self._applied.listed) and bool(self.saved().listed)

    @property
    def applied(self) -> ClusterSettings:
        """Name and key in force since the last start."""
        return self._applied

    @property
    def claims_master(self) -> bool:
        """Whether the appliance's own settings name it the configuration master."""
        saved = self.saved()
        return bool(saved.listed) and saved.master_address == self._owner.address

    def set_key(self, key: str) -> None:
        """Save another pre-shared key."""
        if key != self.key:
            self.key = key
            self._owner.after_configuration()

    def settings_changed(self) -> None:
        """The configuration was written: compare, raise what is due, tell the others."""
        saved, last = self.saved(), self._last
        self._last = saved
        if saved.peers != last.peers:
            now = self._owner.clock.now()
            kept = self.watches
            self.watches = {
                a: kept.get(a, Watch(now)) for a in saved.listed if a != self._owner.address
            }
            self.met &= set(saved.listed)
            if last.listed and not saved.listed and self._owner.profile.clearing_peers_resets:
                self._owner.supply.reset_pending = True
            elif saved.listed:
                self._owner.supply.reset_pending = False
        if self._needs_restart(saved, last):
            self._owner.alarms.want(20007, wanted=True)
        elif saved.listed == self._applied.listed == () or saved == self._applied:
            self._owner.alarms.want(20007, wanted=False)
        if not saved.listed:
            self.replication.stop()
        self._owner.fleet.reconsider(self._owner)

    def boot(self) -> None:
        """The appliance started: everything saved is now in force."""
        self._applied = self._last = self.saved()
        now = self._owner.clock.now()
        own = self._owner.address
        self.watches = {a: Watch(now) for a in self._applied.listed if a != own}
        self.met &= set(self._applied.listed)
        self._owner.alarms.want(20007, wanted=False)
        if self._applied.listed:
            self.replication.start()
        self._owner.fleet.reconsider(self._owner)

    def settle(self, since: float) -> None:
        """Make it so that the cluster has stood for some time: for scenarios."""
        for watch in self.watches.values():
            watch.listed_at = since
            watch.joined_at = since if watch.joined_at is not None else None
        self.replication.copied_at = since

    def forget(self) -> None:
        """Factory defaults: no key, no members, nothing replicated."""
        self.key = ""
        self.met.clear()
        self.watches.clear()
        self.replication.stop()

    def edited_locally(self) -> None:
        """Shared configuration was written here."""
        if self.running and not self.claims_master:
            self.replication.edited = True

    def linked(self, other: Expressway) -> bool:
        """Whether the connection between the two can exist: both sides up, keyed and listed."""
        mine, theirs = self._owner, other.cluster
        return (
            self.running
            and theirs.running
            and mine.fleet.reachable(mine, other)
            and self._applied.key == theirs.applied.key
            and self._applied.name == theirs.applied.name
            and mine.version == other.version
            and other.address in self.saved().listed
            and mine.address in theirs.saved().listed
            and not _behind_nat(mine)
            and not _behind_nat(other)
        )

    def agrees(self, other: Expressway) -> bool:
        """Whether both have the same name, list and configuration master."""
        mine, theirs = self.saved(), other.cluster.saved()
        return (mine.name, mine.master, mine.peers) == (theirs.name, theirs.master, theirs.peers)

    def joined(self, address: str) -> bool:
        """Whether the listed peer has agreed and is still connected."""
        watch = self.watches.get(address)
        return watch is not None and watch.joined_at is not None

    def look(self) -> None:
        """Look at every listed peer and at oneself; raise and clear what follows from it."""
        owner = self._owner
        if not owner.up:
            for watch in self.watches.values():
                watch.joined_at = None
            return
        for address, watch in self.watches.items():
            other = owner.fleet.at(address)
            if other is None or not self.linked(other):
                watch.joined_at = None
            elif watch.joined_at is None and self.agrees(other):
                watch.joined_at = owner.clock.now()
                self.met.add(address)
                other.cluster.met.add(owner.address)
        self._raise_alarms()

    def status_word(self, address: str) -> str:
        """The word beside a peer field of System > Clustering."""
        if not address:
            return ""
        if address == self._owner.address:
            return "This system"
        now, profile = self._owner.clock.now(), self._owner.profile
        watch = self.watches.get(address)
        if watch is None or now - watch.listed_at < profile.status_unknown_for:
            return "Unknown"
        if watch.joined_at is not None and now - watch.joined_at >= profile.status_lag:
            return "Active"
        return "Failed"

    def database_status(self) -> str:
        """The cluster database status of System > Clustering."""
        profile, saved = self._owner.profile, self.saved()
        if not saved.listed:
            return profile.database_standalone
        words = {self.status_word(address) for address in saved.listed}
        settled = self._owner.uptime >= profile.status_lag
        good = self.running and settled and words <= {"This system", "Active"}
        same = all(self._owner.fleet.at(a) is not None and self._same_list(a) for a in self.watches)
        inside = self._owner.address in saved.listed
        return profile.database_active if good and same and inside else profile.database_failed

    def _same_list(self, address: str) -> bool:
        other = self._owner.fleet.at(address)
        return other is not None and other.cluster.saved().peers == self.saved().peers

    def _needs_restart(self, saved: ClusterSettings, last: ClusterSettings) -> bool:
        if bool(saved.listed) != bool(self._applied.listed):
            return saved != last
        if not saved.listed:
            return False
        if (saved.name, saved.key) != (self._applied.name, self._applied.key):
            return True
        wish = self._owner.profile.restart_alarm_for
        if wish == "any-change":
            return saved.peers != last.peers
        return wish == "additions" and bool(set(saved.listed) - set(last.listed))

    def _raise_alarms(self) -> None:
        saved, alarms, get = self.saved(), self._owner.alarms, self._owner.configuration.get
        clustered = bool(saved.listed)
        own = self._owner.address
        apart = any(not self.joined(address) for address in self.watches)
        duplicate = len(set(saved.listed)) != len(saved.listed)
        alarms.want(20003, clustered and (own not in saved.listed or duplicate))
        alarms.want(20004, clustered and apart)
        alarms.want(20006, clustered and apart and bool(self._applied.listed))
        alarms.want(20018, clustered and get("H323 Mode") == "Off")
        alarms.want(20019, clustered and not saved.name)
        if not clustered:
            for number in REPLICATION:
                alarms.want(number, wanted=False)
        unreachable = not self._owner.ntp_reachable or not any(
            get(f"NTP Server {n} Address") for n in range(1, 6)
        )
        alarms.want(25021, unreachable)
        alarms.want(25002, unreachable)


def _behind_nat(expressway: Expressway) -> bool:
    """LAN 1 must not have static NAT (guide p.28)."""
    return expressway.configuration.get("Ethernet 1 IP V4 StaticNAT Mode") == "On"
