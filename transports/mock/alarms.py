"""The alarms an appliance raises: their numbers, UUIDs and words, and the board they hang on.

Numbers and words are from device facts 9 with X8.2's wording (master, slave). Only some UUIDs are
on record; the others are made from the number, so they are stable but not the appliance's own.
An alarm appears a moment after its cause (facts 7) and goes some time after the cause has gone.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from transports.mock.clock import FleetClock
from transports.mock.profile import DeviceProfile

_INVENTED = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
_KNOWN = {
    20004: "3bca6888-f622-11df-93be-07cc953d7b99",
    20006: "0f96695e-d954-4f6f-85c1-2ef1eae6f764",
    20007: "e2b8e3d1-b731-4d7d-b606-4682a8f0c2e6",
    25002: "992bace4-fac4-11de-91d1-00223ff026c1",
    25021: "56571d3a-66de-11e1-9891-534a0e304347",
}
_RESTART = "Restart required"
_REPLICATION = "Cluster replication error"
_MANUAL = "manual synchronization of configuration is required"
_WORDS = {
    15004: ("Application failed", "An unexpected software error was detected"),
    15005: (
        "Database failure",
        "Please remove database and restore from backup, then reboot the system",
    ),
    15015: (
        "Maintenance mode",
        "The system is in maintenance mode and will no longer accept calls and registrations",
    ),
    15022: (_RESTART, "The software has been upgraded, however a restart is required"),
    20003: (
        "Invalid cluster configuration",
        (
            "The cluster configuration is invalid; check the Clustering page and ensure that this "
            "system's IP address is included and there are no duplicate IP addresses"
        ),
    ),
    20004: (
        "Cluster communication failure",
        "The system is unable to communicate with one or more of the cluster peers",
    ),
    20006: (
        "Cluster database communication failure",
        "The database is unable to replicate with one or more of the cluster peers",
    ),
    20007: (
        _RESTART,
        (
            "Cluster configuration has been changed, however a restart is required for this "
            "to take effect"
        ),
    ),
    20008: (
        _REPLICATION,
        (
            "automatic replication of configuration has been temporarily disabled because an "
            "upgrade is in progress"
        ),
    ),
    20010: (_REPLICATION, "the NTP server is unreachable"),
    20011: (
        _REPLICATION,
        "this peer's configuration conflicts with the {master}'s configuration, " + _MANUAL,
    ),
    20012: (
        _REPLICATION,
        "this peer's cluster configuration settings do not match the {master}'s",
    ),
    20013: (_REPLICATION, "the NTP server is unreachable"),
    20014: (
        _REPLICATION,
        "cannot find {master} or this {slave}'s peer configuration file, " + _MANUAL,
    ),
    20015: (_REPLICATION, "the local Expressway does not appear in the list of peers"),
    20016: (_REPLICATION, "the {master} peer is unreachable"),
    20017: (
        "Cluster {master} mismatch",
        "Cluster replication error: configuration {master} ID is inconsistent, " + _MANUAL,
    ),
    20018: (
        "Invalid clustering configuration",
        "H.323 mode must be turned On - clustering uses H.323 communications between peers",
    ),
    20019: (
        "Cluster name not configured",
        "if clustering are in use a cluster name must be defined",
    ),
    25002: (
        "Date and time not validated",
        "The system is unable to obtain the correct time and date from any of the NTP servers",
    ),
    25009: (_RESTART, "Ethernet configuration has been changed, however a restart is required"),
    25010: (_RESTART, "IP configuration has been changed, however a restart is required"),
    25011: (_RESTART, "HTTPS service has been changed, however a restart is required"),
    25015: (_RESTART, "SSH service has been changed, however a restart is required"),
    25017: (_RESTART, "HTTP service has been changed, however a restart is required"),
    25021: ("NTP server not available", "The system is unable to contact an NTP server"),
    30012: ("Licenses of a lost peer", "This system is using licenses of a lost cluster peer"),
    30025: (_RESTART, "An option key has been changed, however a restart is required"),
    40003: ("Insecure password in use", "The root user has the default password set"),
    40005: ("Insecure password in use", "The admin user has the default password set"),
}
RESTART_REQUIRED = frozenset(n for n, (title, _) in _WORDS.items() if title == _RESTART)
REPLICATION = frozenset({20008, 20010, 20011, 20012, 20013, 20014, 20015, 20016, 20017})


@dataclass(slots=True)
class Alarm:
    """One raised alarm. `item` is its sparse number in the status."""

    number: int
    item: int
    uuid: str
    title: str
    description: str
    raised_at: float
    acknowledged: bool = False


class AlarmBoard:
    """The raised alarms of one appliance, by number."""

    def __init__(
        self,
        clock: FleetClock,
        profile: DeviceProfile,
        changed: Callable[[str], None],
        sticks: Callable[[int], bool],
    ) -> None:
        self._clock = clock
        self._profile = profile
        self._changed = changed
        self._sticks = sticks
        self._wanted: dict[int, int] = {}
        self._turn = 0
        self.raised: dict[int, Alarm] = {}

    def want(self, number: int, wanted: bool) -> None:
        """The alarm's cause is there, or is gone; it appears or goes after its delay."""
        if wanted == (number in self._wanted):
            return
        self._turn += 1
        turn = self._turn
        if wanted:
            self._wanted[number] = turn
            self._clock.call_later(self._delay(number), lambda: self._appear(number, turn))
        else:
            del self._wanted[number]
            self._clock.call_later(self._profile.alarm_clear_delay, lambda: self._go(number))

    def clear_now(self, number: int) -> None:
        """The alarm goes at once, as a restart or a successful synchronisation does it."""
        self._wanted.pop(number, None)
        self._remove(number)

    def reset(self) -> None:
        """The appliance starts: nothing is raised, everything is looked at anew."""
        self._wanted.clear()
        for number in list(self.raised):
            self._remove(number)

    def acknowledge(self, number: int) -> None:
        """Status > Alarms > Acknowledge: the alarm stays, marked."""
        if number in self.raised:
            self.raised[number].acknowledged = True
            self._changed(f"alarm {number} acknowledged")

    def listed(self) -> list[Alarm]:
        """The raised alarms by their item numbers."""
        return sorted(self.raised.values(), key=lambda alarm: alarm.item)

    def _delay(self, number: int) -> float:
        if number == 20006:
            return self._profile.database_alarm_delay
        if number == 20004:
            return self._profile.communication_alarm_delay
        return self._profile.alarm_delay

    def _appear(self, number: int, turn: int) -> None:
        if self._wanted.get(number) != turn or number in self.raised:
            return
        title, description = _WORDS[number]
        words = {
            "master": self._profile.master_word,
            "slave": self._profile.subordinate_word,
        }
        identity = _KNOWN.get(number) or str(uuid.uuid5(_INVENTED, f"alarm {number}"))
        taken = {alarm.item for alarm in self.raised.values()}
        item = uuid.UUID(identity).int % 197 + 1
        while item in taken:
            item += 1
        self.raised[number] = Alarm(
            number,
            item,
            identity,
            title.format(**words),
            description.format(**words),
            self._clock.now(),
        )
        self._changed(f"alarm {number} raised")

    def _go(self, number: int) -> None:
        if number not in self._wanted:
            self._remove(number)

    def _remove(self, number: int) -> None:
        if number in self.raised and not self._sticks(number):
            del self.raised[number]
            self._changed(f"alarm {number} cleared")
