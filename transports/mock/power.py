"""How an appliance goes down and comes back: restart, reboot, power cut, factory reset.

Everything that dies with the power (sessions, calls, maintenance mode, alarms that asked for a
restart) and everything that is only taken up by starting (clustering, a new address, new software)
is here, in the order in which it happens.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

from transports.mock.configuration import Configuration, DeviceRefusal
from transports.mock.faults import FaultKind

if TYPE_CHECKING:
    from transports.mock.clock import Timer
    from transports.mock.expressway import Expressway

FACTORY_ADDRESS = "192.168.0.100"
"""The LAN 1 address of an appliance whose IP configuration was not kept; unverified."""


class Power(enum.StrEnum):
    """Whether the appliance can be talked to."""

    ON = "on"
    RESTARTING = "restarting"
    OFF = "off"
    RESETTING = "factory-resetting"


class PowerCycle:
    """The power state of one appliance and what is due next."""

    def __init__(self, owner: Expressway) -> None:
        self._owner = owner
        self._due: Timer | None = None
        self.state = Power.ON
        self.restarts = 0
        self.reset_pending = False
        """Whether the next start is a factory reset (facts 0.9: X8.11 and later)."""

    def restart(self, *, reboot: bool) -> None:
        """Go down in a moment and come back. Raises DeviceRefusal while not up."""
        if self.state is not Power.ON:
            raise DeviceRefusal("The system is restarting", cause=9)
        profile = self._owner.profile
        duration = profile.reboot if reboot else profile.restart
        self._owner.clock.call_later(
            profile.shutdown_delay, lambda: self._go_down(duration, reboot=reboot)
        )

    def lose(self) -> None:
        """The plug is pulled."""
        self._down(Power.OFF, "power lost")

    def gain(self) -> None:
        """The plug is put back; it starts as after a reboot."""
        if self.state is Power.OFF:
            self._then(self._owner.profile.reboot, lambda: self._come_up(reboot=True))

    def factory_reset(self, keep: frozenset[str]) -> None:
        """Down for a factory reset, and up as new but for what is kept."""
        self._down(Power.RESETTING, "factory reset started")
        self._then(self._owner.profile.factory_reset, lambda: self._reborn(keep))

    def _then(self, seconds: float, call: Callable[[], None]) -> None:
        """What is due next takes the place of what was due before."""
        if self._due is not None:
            self._due.cancel()
        self._due = self._owner.clock.call_later(seconds, call)

    def _go_down(self, duration: float, *, reboot: bool) -> None:
        if self.state is not Power.ON:
            return
        profile = self._owner.profile
        self.restarts += 1
        if self.restarts % profile.disk_check_every == 0:
            duration += profile.disk_check
        self._down(Power.RESTARTING, "restarting")
        fault = self._owner.fleet.faults.strike(FaultKind.RESTART_HANGS, self._owner.name)
        if fault is None or fault.value > 0:
            duration += fault.value if fault else 0.0
            self._then(duration, lambda: self._come_up(reboot=reboot))

    def _down(self, state: Power, what: str) -> None:
        if self._due is not None:
            self._due.cancel()
        self.state = state
        owner = self._owner
        owner.installing = False
        owner.drop_sessions()
        owner.calls.drop_all()
        owner.registrations.clear()
        owner.changed(what)
        owner.fleet.reconsider(owner)

    def _come_up(self, *, reboot: bool) -> None:
        owner = self._owner
        if owner.pending_version and (reboot or owner.profile.restart_activates_upgrade):
            owner.version, owner.pending_version = owner.pending_version, ""
        if self.reset_pending:
            self.reset_pending = False
            owner.wipe("factory reset after clearing all peers")
            self._reborn(frozenset({"ip", "option-keys", "passwords"}))
            return
        owner.configuration.put("SystemUnit Maintenance Mode", "Off")
        self._boot("started")

    def _boot(self, what: str) -> None:
        owner = self._owner
        self.state = Power.ON
        owner.booted_at = owner.clock.now()
        owner.alarms.reset()
        owner.address = owner.configuration.get("Ethernet 1 IP V4 Address")
        owner.cluster.boot()
        owner.clock.call_later(owner.profile.ntp_sync + 1, owner.cluster.settings_changed)
        owner.changed(what)

    def _reborn(self, keep: frozenset[str]) -> None:
        owner = self._owner
        fresh = Configuration(owner.profile)
        kept = ["Option "] if "option-keys" in keep else []
        kept += ["Ethernet ", "IP Gateway"] if "ip" in keep else []
        for path, value in owner.configuration.values().items():
            if path.startswith(tuple(kept)):
                fresh.put(path, value)
        if "ip" not in keep:
            fresh.put("Ethernet 1 IP V4 Address", FACTORY_ADDRESS)
        owner.configuration = fresh
        owner.lync_b2bua = False
        owner.accounts.passwords.clear()
        if "passwords" not in keep:
            owner.accounts.reset_passwords()
        owner.cluster.forget()
        self._boot("factory defaults")
