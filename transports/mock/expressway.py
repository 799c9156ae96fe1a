"""One simulated Expressway: its power, software, configuration, calls and what hangs on a restart.

The command line, the XML API, the web pages and the in-process transport all act on this one
object, so an appliance cannot be in two states depending on how it is asked. It reports every
change to its fleet, which is how the witness sees everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from transports.document import Node
from transports.mock.accounts import Accounts, IntrusionProtection, Login
from transports.mock.alarms import AlarmBoard
from transports.mock.backup import BackupFile
from transports.mock.calls import Calls
from transports.mock.clustering import ClusterMember
from transports.mock.configuration import Configuration, DeviceRefusal
from transports.mock.faults import FaultKind
from transports.mock.power import Power, PowerCycle
from transports.mock.profile import DeviceProfile
from transports.mock.schema import Item

if TYPE_CHECKING:
    from transports.mock.fleet import Fleet


T = TypeVar("T")


__all__ = ["Expressway", "Power"]


class Expressway:
    """One appliance of a fleet. Made by `Fleet.add`."""

    def __init__(
        self,
        fleet: Fleet,
        name: str,
        address: str,
        *,
        serial: str,
        version: str = "",
        hardware: str = "VMware",
    ) -> None:
        self.fleet = fleet
        self.name = name
        self.address = address
        """The LAN 1 IPv4 address in use; a changed one takes effect at the next restart."""
        self.serial = serial
        self.hardware = hardware
        self.profile: DeviceProfile = fleet.profile
        self.version = version or self.profile.version
        self.clock = fleet.clock
        self.booted_at = -7200.0
        self.pending_version = ""
        self.installing = False
        self.call_licences = 0
        """Traversal call licences; they may differ from peer to peer (guide p.5)."""
        self.configuration = Configuration(self.profile)
        self.configuration.put("Ethernet 1 IP V4 Address", address)
        self.configuration.put("SystemUnit Name", name)
        self.protection = IntrusionProtection(
            self.clock, self.profile.ban_after, self.profile.ban_seconds
        )
        self.accounts = Accounts(self.protection, self._account_names)
        self.calls = Calls(self.clock, self.changed, self._calls_endless)
        self.alarms = AlarmBoard(self.clock, self.profile, self.changed, self._alarm_sticks)
        self.supply = PowerCycle(self)
        self.cluster = ClusterMember(self)
        self.lync_b2bua = False
        self.certificates: dict[str, str] = {"server": "default", "ca": "default"}
        self.registrations: dict[int, str] = {}
        self.backups: list[BackupFile] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self.ntp_reachable = True
        self._ntp_since = -3600.0
        self._sessions: dict[int, Callable[[], None]] = {}
        self._session_number = 0

    # What it is

    @property
    def power(self) -> Power:
        """Whether it can be talked to, and if not, why."""
        return self.supply.state

    @property
    def restarts(self) -> int:
        """How often it was restarted since the fleet was made."""
        return self.supply.restarts

    @property
    def option_keys(self) -> tuple[str, ...]:
        """The installed option keys."""
        numbers = self.configuration.records("Option")
        return tuple(self.configuration.get(f"Option {n} Key") for n in numbers)

    @property
    def up(self) -> bool:
        """Whether it answers on its command line."""
        return self.power is Power.ON

    @property
    def web_up(self) -> bool:
        """Whether its web interface answers; a little later than the command line."""
        return self.up and self.uptime >= self.profile.web_after_boot

    @property
    def uptime(self) -> float:
        """Device seconds since it started."""
        return self.clock.now() - self.booted_at

    @property
    def clock_skew(self) -> float:
        """By how many seconds its clock is wrong."""
        fault = self.fleet.faults.strike(FaultKind.CLOCK_SKEW, self.name)
        return fault.value if fault else 0.0

    @property
    def ntp_synchronized(self) -> bool:
        """Whether it has a reachable NTP server for long enough."""
        configured = any(self.configuration.get(f"NTP Server {n} Address") for n in range(1, 6))
        waited = self.clock.now() - max(self.booted_at, self._ntp_since) >= self.profile.ntp_sync
        return configured and self.ntp_reachable and waited

    @property
    def maintenance(self) -> bool:
        """Whether maintenance mode is on: no new calls."""
        return self.configuration.get("SystemUnit Maintenance Mode") == "On"

    def set_ntp_reachable(self, reachable: bool) -> None:
        """The world outside: its NTP servers answer, or do not."""
        if reachable and not self.ntp_reachable:
            self._ntp_since = self.clock.now()
        self.ntp_reachable = reachable
        self.changed("ntp")
        self.clock.call_later(self.profile.ntp_sync, self.cluster.settings_changed)

    # What changes it

    def write(self, words: Sequence[str], value: str) -> None:
        """Write one setting as the command line does. Raises DeviceRefusal."""
        self._keep(*self.configuration.check(words, value))

    def call_arrives(self, seconds: float | None = None) -> bool:
        """A new call comes in; False where maintenance mode or a restart refuses it."""
        if not self.up or self.maintenance:
            return False
        self.calls.start(self.profile.call_seconds if seconds is None else seconds)
        return True

    def log_in(self, username: str, password: str, *, client: str, category: str) -> Login:
        """Check a password; the fault `ban` makes it one too many."""
        if self.fleet.faults.strike(FaultKind.BAN, self.name, category):
            self.protection.ban(category, client)
        outcome = self.accounts.log_in(username, password, client=client, category=category)
        if outcome is not Login.OK:
            self.changed("log-in refused")
        return outcome

    def restart(self, *, reboot: bool) -> None:
        """Go down in a moment and come back. Raises DeviceRefusal while not up.

        `reboot`: the whole system, not only its services.
        """
        self.supply.restart(reboot=reboot)

    def lose_power(self) -> None:
        """The plug is pulled."""
        self.supply.lose()

    def gain_power(self) -> None:
        """The plug is put back; it starts as after a reboot."""
        self.supply.gain()

    def wipe(self, how: str) -> None:
        """Tell the fleet that configuration is about to be destroyed; called before the act."""
        self.fleet.about_to_wipe(self, how)

    def reset_to_defaults(self, level: int) -> None:
        """What `DefaultValuesSet` does (facts 3): without default links, zones and transforms."""
        self.wipe(f"DefaultValuesSet Level {level}")
        keep_address = self.configuration.get("Ethernet 1 IP V4 Address")
        self.configuration.reset(level, self.profile.level_2_also_resets if level > 1 else ())
        if level == 3:
            self.cluster.forget()
            self.configuration.put("Ethernet 1 IP V4 Address", keep_address)
        self.after_configuration()

    def factory_reset(self, *, keep: frozenset[str] = frozenset()) -> None:
        """The root shell's `factory-reset`; `keep`: option-keys, ip, passwords."""
        self.wipe("factory reset")
        self.supply.factory_reset(keep)

    def start_installing(self, data: bytes, mark: Callable[[str], None]) -> None:
        """An image was put in place in /tmp: install it in the background (facts 7)."""
        from transports.mock.web import WebInterface  # noqa: PLC0415 - web needs this class

        async def install() -> None:
            try:
                await WebInterface(self).install(data)
                mark("ok")
            except DeviceRefusal:
                mark("failed")
            except ConnectionResetError:
                return

        self.in_background(install())

    def in_background(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Something the appliance carries on with by itself."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Whoever waits for the task sees its error; nobody has to.
            task.exception()

    def purge_cluster_database(self) -> None:
        """The root shell's `clusterdb_destroy_and_purge_data.sh`: all configuration is lost."""
        self.wipe("purge of the cluster database")
        keep = self.configuration.get("Ethernet 1 IP V4 Address")
        self.configuration.load({"Ethernet 1 IP V4 Address": keep})
        self.cluster.forget()
        self.after_configuration()

    def after_configuration(self) -> None:
        """Whatever depends on the configuration is looked at anew."""
        self.alarms.want(15015, self.maintenance)
        self.cluster.settings_changed()
        self.changed("configuration")

    def changed(self, what: str) -> None:
        """Report a change of state to the fleet."""
        self.fleet.changed(self, what)

    def sent(self, text: str) -> str:
        """Every text the appliance hands out passes here, so that the witness can look at it."""
        self.fleet.sent(self, text)
        return text

    def status(self, only: str = "") -> Node:
        """The xStatus tree; with `only`, just what holds the top-level element of that name."""
        from transports.mock.status import status_tree  # noqa: PLC0415 - status needs this class

        return status_tree(self, only)

    def open_session(self, dropped: Callable[[], None]) -> int:
        """Register a session; `dropped` is called when the appliance goes down."""
        if len(self._sessions) >= self.profile.session_limit:
            raise DeviceRefusal("Too many sessions", cause=8)
        self._session_number += 1
        self._sessions[self._session_number] = dropped
        return self._session_number

    def close_session(self, number: int) -> None:
        """Forget a session that ended by itself."""
        self._sessions.pop(number, None)

    def drop_sessions(self) -> None:
        """Everybody who is connected is cut off."""
        sessions, self._sessions = list(self._sessions.values()), {}
        for dropped in sessions:
            dropped()

    # How it goes on

    def _account_names(self) -> list[str]:
        prefix = "Authentication Account Admin Account"
        numbers = self.configuration.records(prefix)
        return [self.configuration.get(f"{prefix} {n} Name") for n in numbers]

    def _calls_endless(self) -> bool:
        return self.fleet.faults.strike(FaultKind.CALL_NEVER_ENDS, self.name) is not None

    def _alarm_sticks(self, number: int) -> bool:
        strike = self.fleet.faults.strike
        return strike(FaultKind.ALARM_STICKS, self.name, str(number)) is not None

    def _keep(self, item: Item, path: str, value: str) -> None:
        if self.configuration.get(path) == value:
            return
        if self.fleet.faults.strike(FaultKind.IGNORED_WRITE, self.name, path):
            return
        self.configuration.put(path, value)
        if item.restart:
            self.alarms.want(item.restart, wanted=True)
        if item.shared:
            self.cluster.edited_locally()
        self.after_configuration()
