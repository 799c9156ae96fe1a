"""How configuration travels from the primary to its peers: by a copy, about every two minutes.

The peer fetches: its shared configuration is deleted and replaced by the primary's (guide p.12,
p.14). Whatever stands in the way becomes one of the "Cluster replication error" alarms (facts 9),
and nothing is copied until it has gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from transports.mock.alarms import REPLICATION
from transports.mock.clock import Timer
from transports.mock.faults import FaultKind

if TYPE_CHECKING:
    from transports.mock.clustering import ClusterMember
    from transports.mock.expressway import Expressway

_SILENT = 0


class Replication:
    """The replication of one appliance."""

    def __init__(self, owner: Expressway, member: ClusterMember) -> None:
        self._owner = owner
        self._member = member
        self._timer: Timer | None = None
        self.edited = False
        """Shared configuration was changed here and not by replication."""
        self.copied_at: float | None = None

    def start(self) -> None:
        """Copy regularly from now on; the first time after one period."""
        self.stop()
        self._timer = self._owner.clock.call_later(self._owner.profile.replication_period, self._go)

    def stop(self) -> None:
        """Copy no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def force(self) -> None:
        """`ForceConfigUpdate`: the own configuration goes first, then comes the primary's.

        On the primary itself there is nowhere to fetch from: the cluster's configuration is lost
        (facts 3).
        """
        self._owner.wipe("ForceConfigUpdate")
        self._owner.configuration.replace_shared({})
        self.edited = False
        for number in (20011, 20014, 20017):
            self._owner.alarms.clear_now(number)
        self._owner.after_configuration()
        self._owner.clock.call_later(self._owner.profile.force_update, self.synchronise)

    def synchronise(self) -> None:
        """One round: find what stands in the way, or copy."""
        if not self._member.running:
            return
        if self._owner.fleet.faults.strike(FaultKind.REPLICATION_STUCK, self._owner.name):
            return
        obstacle = self._obstacle()
        for number in REPLICATION:
            self._owner.alarms.want(number, number == obstacle)
        if obstacle is not None or self._member.claims_master:
            return
        primary = self._primary()
        if primary is None:
            return
        self.edited = False
        self.copied_at = self._owner.clock.now()
        self._owner.accounts.passwords = dict(primary.accounts.passwords)
        if self._owner.configuration.replace_shared(primary.configuration.shared()):
            self._owner.changed("replicated")
            self._owner.fleet.reconsider(self._owner)

    def _go(self) -> None:
        self._timer = self._owner.clock.call_later(self._owner.profile.replication_period, self._go)
        self.synchronise()

    def _primary(self) -> Expressway | None:
        return self._owner.fleet.at(self._member.saved().master_address)

    def _obstacle(self) -> int | None:
        """The number of the alarm that says why nothing is copied; 0 where none is raised."""
        owner, member = self._owner, self._member
        saved = member.saved()
        if not owner.ntp_synchronized:
            return owner.profile.ntp_alarm
        if owner.configuration.get("H323 Mode") == "Off":
            return _SILENT
        if owner.address not in saved.listed:
            return 20015
        others = [e for e in map(owner.fleet.at, member.watches) if e is not None and e.up]
        others = [e for e in others if owner.fleet.reachable(owner, e)]
        if self._two_masters(others):
            return 20017
        if member.claims_master:
            upgrading = any(e.installing or e.version != owner.version for e in others)
            return 20008 if upgrading else None
        return self._obstacle_at_primary(others)

    def _obstacle_at_primary(self, others: list[Expressway]) -> int | None:
        primary = self._primary()
        if primary is None or primary not in others:
            return 20016
        if primary.version != self._owner.version:
            return 20014
        if primary.installing:
            return 20008
        if not self._member.agrees(primary):
            return 20012
        if not self._member.joined(primary.address):
            return 20014 if self.copied_at is None else 20016
        theirs = primary.cluster
        if any(a not in theirs.met for a in theirs.watches):
            return _SILENT
        if primary.configuration.get("H323 Mode") == "Off":
            return _SILENT
        if self.edited and self._owner.profile.local_edits_conflict:
            return 20011
        return None

    def _two_masters(self, others: list[Expressway]) -> bool:
        own, listed = self._owner, self._member.saved()
        for other in others:
            theirs = other.cluster.saved()
            mutual = own.address in theirs.listed and other.address in listed.listed
            if mutual and theirs.master_address != listed.master_address:
                return True
        return False
