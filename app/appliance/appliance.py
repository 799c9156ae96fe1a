"""One Expressway, reached over one or two transports, in domain words.

A peer may have a second transport for what the first lacks (the admin CLI has no backup, the web
forms have no commands). Each verb goes to the first transport that has the capability; a verb that
none has raises NotSupported, which a plan that read `capabilities` never meets.

Verbs only act. Whether an act had its effect is for the caller to look at afterwards: the device's
OK alone proves nothing (design rule 1).
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from app.appliance import reading
from app.appliance.profiles import VersionProfile, profile_for
from app.appliance.spelling import Spelling
from app.domain.clock import Clock
from app.domain.observation import Alarm, Clustering, Dns, Ntp, Observation, Zone
from app.domain.settings import PeerSettings
from transports.base import (
    BackupReceipt,
    Capability,
    CheckWebLogin,
    ClusteringPage,
    CreateBackup,
    DeleteAdminAccount,
    FactoryReset,
    InstallSoftware,
    KnowsRoundTrip,
    Operation,
    PingFromPeer,
    ReadAdminAccounts,
    ReadClusteringPage,
    ReadLyncB2bua,
    ReadTimeState,
    RestartSystem,
    RestoreBackup,
    SetLyncB2bua,
    SetPreSharedKey,
    Transport,
)
from transports.command import Command, Setting
from transports.document import WHOLE, Node, Path
from transports.errors import CommandRejected, NotSupported

R = TypeVar("R")

DEFAULT_ADMIN = "admin"
PEER_FIELDS = 6


class Appliance:
    """The verbs of one peer. Safe to use from several tasks: transports serialise exchanges."""

    def __init__(self, peer_id: str, transports: Sequence[Transport], clock: Clock) -> None:
        self.peer_id = peer_id
        self._transports = tuple(transports)
        self._clock = clock
        self._profile: VersionProfile | None = None
        self._spelling = Spelling()
        self._permit: Callable[[], None] | None = None

    def only_while(self, permit: Callable[[], None]) -> Appliance:
        """The same appliance for one who holds a lease on it.

        `permit` is asked before every exchange and raises where the lease is no longer good.
        """
        leased = copy.copy(self)
        leased._permit = permit
        return leased

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What at least one of the peer's transports can do."""
        return frozenset().union(*(transport.capabilities for transport in self._transports))

    async def close(self) -> None:
        """Close all transports; the appliance may be used again."""
        await asyncio.gather(*(transport.close() for transport in self._transports))

    # -- what it says of itself

    async def profile(self) -> VersionProfile:
        """The version profile, by the software version the peer states; read once."""
        if self._profile is None:
            unit = await self._status("SystemUnit")
            self._profile = profile_for(unit.get("SystemUnit Software Version") or "")
        return self._profile

    async def uptime(self) -> int | None:
        """Seconds since the appliance started."""
        return reading.number((await self._status("SystemUnit Uptime")).get("SystemUnit Uptime"))

    async def software_version(self) -> str:
        """`X8.2`; empty where the peer does not say."""
        path = "SystemUnit Software Version"
        return (await self._status(path)).get(path) or ""

    async def clustering(self) -> Clustering:
        """System > Clustering now: the configuration and, where a path shows them, the words."""
        configuration = await self._configuration("Alternates")
        page = await self._page_if_any()
        status = await self._status("Alternates") if page is None else Node("Status")
        return reading.clustering(configuration, status, page)

    async def alarms(self) -> tuple[Alarm, ...]:
        """Status > Alarms now."""
        return reading.alarms(await self._status("Warnings"))

    async def live_calls(self) -> tuple[int, ...]:
        """The numbers of the calls that are up."""
        return reading.call_indexes(await self._status("Calls"))

    async def maintenance_mode(self) -> bool | None:
        """Whether new calls and registrations are refused."""
        path = "SystemUnit Maintenance Mode"
        return reading.flag((await self._configuration(path)).get(path))

    async def zones(self) -> tuple[Zone, ...]:
        """Configuration > Zones > Zones: the zones, and the systems they name."""
        return reading.zones(await self._configuration("Zones"))

    async def settings(self, *paths: str) -> dict[str, str]:
        """Configuration values by path; "" where one is empty or missing.

        Paths are X8.2's; a peer that names a setting differently is asked in its own words.
        """
        alone = len(paths) == 1 and self._spelling.knows(paths)
        root = Path.parse(self._spelling.own(paths[0])) if alone else WHOLE
        configuration = await self._configuration(root)
        return {path: configuration.get(self._spelling.own(path)) or "" for path in paths}

    async def dns(self) -> Dns:
        """System > DNS."""
        return reading.dns(await self._configuration(WHOLE), self._spelling)

    async def admin_accounts(self) -> tuple[str, ...] | None:
        """Administrator accounts beside the default one; None where no path shows them."""
        if Capability.ADMIN_ACCOUNTS in self.capabilities:
            names: tuple[str, ...] | None = await self._perform(ReadAdminAccounts())
        else:
            names = reading.admin_accounts(await self._configuration(WHOLE))
        return None if names is None else tuple(n for n in names if n != DEFAULT_ADMIN)

    async def shared_digest(self) -> str:
        """SHA-256 over the replicated configuration (guide p.16-17)."""
        return reading.shared_digest(await self._configuration(WHOLE))

    async def shared_shape(self) -> dict[str, str]:
        """The replicated configuration by top-level element: `Zones` -> `41 5f0c3a6d1b7e`.

        How many values it has, and the beginning of their digest: enough to say what is missing
        after new software has taken the configuration over.
        """
        return reading.shared_shape(await self._configuration(WHOLE))

    async def all_settings(self, name: str) -> PeerSettings:
        """The whole configuration, flat, for a comparison with other peers; `name` for people."""
        configuration = await self._configuration(WHOLE)
        values = {str(path): value for path, value in configuration.leaves()}
        return PeerSettings(self.peer_id, name, values, reading.features(await self._status(WHOLE)))

    async def answers_on_web(self) -> bool | None:
        """Whether the web interface takes our log-in; None where no transport can tell."""
        if Capability.WEB_LOGIN not in self.capabilities:
            return None
        return await self._perform(CheckWebLogin())

    async def round_trip(self, address: str) -> float | None:
        """Milliseconds there and back to an address, from the peer itself; None: no answer."""
        return await self._perform(PingFromPeer(address))

    async def default_links(self) -> bool | None:
        """Whether the default links are all there; None where nothing lists links."""
        return reading.links(await self._status(WHOLE), await self._configuration(WHOLE))

    async def at_defaults(self) -> bool:
        """Whether the signs of a reset are there: no zones, no LDAP log-in, no accounts of its own.

        These are the parts of the reset that the guide and the device facts name (ADD-J-04).
        """
        configuration = await self._configuration(WHOLE)
        ldap = (configuration.get("Login Source Admin") or "LocalOnly").casefold() != "localonly"
        return not reading.zones(configuration) and not ldap

    async def observe(self) -> Observation:
        """All facts at this moment. A fact that cannot be read is None and named in `unknown`."""
        status = await self._status(WHOLE)
        clock_offset = self._clock_offset(status)
        configuration = await self._configuration(WHOLE)
        page = await self._page_if_any()
        state = await self._time_state(status)
        accounts = await self.admin_accounts()
        version = status.get("SystemUnit Software Version") or ""
        self._profile = profile_for(version)
        clustering = reading.clustering(configuration, status, page)
        ldap = (configuration.get("Login Source Admin") or "").casefold()
        zones = reading.zones(configuration)
        observation = Observation(
            peer_id=self.peer_id,
            observed_at=self._clock.now(),
            product=status.get("SystemUnit Product") or "",
            software_version=version,
            serial_number=status.get("SystemUnit Hardware SerialNumber") or "",
            hardware=status.get("SystemUnit Hardware Version") or "",
            uptime=reading.number(status.get("SystemUnit Uptime")),
            system_name=configuration.get("SystemUnit Name") or "",
            lans=reading.lans(status, configuration),
            gateway=configuration.get("IP Gateway") or status.get("IP IPv4 Gateway") or "",
            dual_interfaces=reading.flag(
                status.get("SystemUnit Software Configuration DualNetworkInterfaces")
            ),
            dns=reading.dns(configuration, self._spelling),
            ntp=Ntp(reading.ntp_servers(configuration), state),
            h323_on=reading.flag(configuration.get("H323 Mode")),
            call_signaling_optimized=_optimized(configuration.get("Call Routed Mode")),
            maintenance_mode=reading.flag(configuration.get("SystemUnit Maintenance Mode")),
            clustering=clustering,
            zones=zones,
            option_keys=reading.option_keys(configuration),
            features=reading.features(status),
            alarms=reading.alarms(status),
            calls=reading.live_calls(status),
            admin_accounts=accounts,
            ldap_login=(ldap != "localonly") if ldap else None,
            shared_digest=reading.shared_digest(configuration),
            at_defaults=not zones and ldap in {"", "localonly"},
            default_links=reading.links(status, configuration),
            external_manager=configuration.get("ExternalManager Address") or "",
            ldap_server=configuration.get("Login Remote LDAP Server Address") or "",
            clock_offset=clock_offset,
            round_trip_from_here=self._round_trip_from_here(),
        )
        return replace(observation, unknown=_unknown(observation))

    # -- what can be done to it

    async def write(self, *settings: tuple[str, str]) -> None:
        """Write configuration values in order: pairs of X8.2's CLI path and value.

        Where the peer shows a setting under another name, it is written under that one; where it
        shows none, the names are tried in turn and the one it takes is remembered.
        """
        transport = self._transport_for(Capability.ADMINISTRATION)
        paths = [path for path, _ in settings]
        if not self._spelling.knows(paths):
            await self._configuration(WHOLE)
        declined: CommandRejected | NotSupported | None = None
        for trial in self._spelling.trials(paths):
            try:
                await transport.write(_spelled(trial, settings))
            except (CommandRejected, NotSupported) as refusal:
                declined = declined or refusal
                continue
            self._spelling.settle(trial)
            return
        if declined is not None:
            raise declined

    async def set_maintenance_mode(self, on: bool) -> None:
        """Maintenance > Maintenance mode."""
        await self.write(("SystemUnit Maintenance Mode", "On" if on else "Off"))

    async def optimize_call_signaling(self) -> None:
        """Configuration > Call routing > Call signaling optimization = On (NEW-M-24)."""
        await self.write(("Call Routed Mode", "Optimal"))

    async def write_clustering(
        self,
        *,
        cluster_name: str | None = None,
        primary_index: int | None = None,
        addresses: Sequence[str] | None = None,
    ) -> None:
        """System > Clustering: what is None stays. `addresses` fills the six fields in order.

        One path writes the settings one by one, so their order keeps every moment in between sound:
        the primary's index is written as soon as its field holds the primary's address, so that a
        list that moves up never names another primary; an emptied list goes before the name.
        """
        name = [] if cluster_name is None else [("Alternates Cluster Name", cluster_name)]
        fields: list[tuple[str, str]] = []
        if addresses is not None:
            present = await self._configuration("Alternates")
            for index in range(1, PEER_FIELDS + 1):
                wanted = addresses[index - 1] if index <= len(addresses) else ""
                path = f"Alternates Peer {index} Address"
                if (present.get(path) or "") != wanted:
                    fields.append((path, wanted))
        if primary_index is not None:
            own = f"Alternates Peer {primary_index} Address"
            place = next((n for n, (path, _) in enumerate(fields, start=1) if path == own), 0)
            fields.insert(place, ("Alternates ConfigurationMaster", str(primary_index)))
        settings = [*name, *fields] if addresses is None or addresses else [*fields, *name]
        if settings:
            await self.write(*settings)

    async def write_zone_addresses(self, zone: Zone, addresses: Sequence[str]) -> None:
        """Fill the six peer fields of a neighbor or traversal client zone in order."""
        place = f"Zones Zone {zone.index} {zone.kind}"
        fields = [*addresses, *[""] * PEER_FIELDS][:PEER_FIELDS]
        paths = {f"{place} Peer {n} Address": value for n, value in enumerate(fields, start=1)}
        now = await self._configuration("Zones")
        await self.write(*((p, v) for p, v in paths.items() if (now.get(p) or "") != v))

    async def set_pre_shared_key(self, key: str) -> None:
        """System > Clustering > Cluster pre-shared key; an empty key deletes it."""
        await self._perform(SetPreSharedKey(key))

    async def back_up(
        self, write: Callable[[bytes], Awaitable[None]], password: str = ""
    ) -> BackupReceipt:
        """Maintenance > Backup and restore: the archive, piece by piece, and its receipt."""
        return await self._perform(CreateBackup(write, password))

    async def restore(
        self, file_name: str, read: Callable[[], AsyncIterator[bytes]], password: str = ""
    ) -> None:
        """Maintenance > Backup and restore: upload a backup and restore it; the unit restarts."""
        self._forget()
        await self._perform(RestoreBackup(file_name, read, password))

    async def restart(self) -> None:
        """Maintenance > Restart options > Restart; a reboot where no transport has that page.

        `xCommand Restart` is not confirmed for X8.2, `xCommand Boot` is (device facts 3).
        """
        self._forget()
        if Capability.RESTART in self.capabilities:
            await self._perform(RestartSystem())
        else:
            await self._transport_for(Capability.ADMINISTRATION).run(Command("Boot"))

    async def reboot(self) -> None:
        """`xCommand Boot`: the whole system starts anew, with newly installed software."""
        self._forget()
        await self._run(Command("Boot"))

    async def install_software(
        self, file_name: str, read: Callable[[], AsyncIterator[bytes]]
    ) -> None:
        """Maintenance > Upgrade: upload the image and install it; used from the next reboot on."""
        await self._perform(InstallSoftware(file_name, read))

    async def force_configuration_update(self) -> None:
        """`ForceConfigUpdate`: the own configuration goes, the primary's comes (ALM-12).

        On the primary itself it would destroy the cluster's configuration; callers look before.
        """
        await self._run(Command("ForceConfigUpdate"))

    async def reset_to_defaults(self) -> None:
        """`DefaultValuesSet Level: 2` (ADD-J-02; the guide's `DefaultValueSet` is a misprint)."""
        await self._run(Command("DefaultValuesSet", {"Level": "2"}))

    async def add_default_links(self) -> None:
        """`DefaultLinksAdd` (ADD-J-03)."""
        await self._run(Command("DefaultLinksAdd"))

    async def delete_admin_account(self, name: str) -> None:
        """Users > Administrator accounts: delete one (ADD-J-07)."""
        if Capability.ADMIN_ACCOUNTS in self.capabilities:
            await self._perform(DeleteAdminAccount(name))
        else:
            await self._run(Command("AdminAccountDelete", {"Name": name}))

    async def lync_b2bua(self) -> bool:
        """Applications > B2BUA > Microsoft Lync > Configuration: whether it is Enabled."""
        return await self._perform(ReadLyncB2bua())

    async def disable_lync_b2bua(self) -> None:
        """The same page: Microsoft Lync B2BUA = Disabled (RML-19)."""
        await self._perform(SetLyncB2bua(enabled=False))

    async def factory_reset(self, answers: FactoryReset) -> None:
        """`factory-reset` in the root shell; returns when the appliance lets go (RMD-R-12)."""
        await self._perform(answers)

    async def disconnect_call(self, index: int) -> None:
        """Status > Calls > Disconnect. A call that has just ended by itself is no error."""
        try:
            await self._run(Command("DisconnectCall", {"Call": str(index)}))
        except CommandRejected:
            if index in await self.live_calls():
                raise

    # -- how

    def _forget(self) -> None:
        """Other software may be what comes back."""
        self._profile = None
        self._spelling.forget()

    async def _run(self, command: Command) -> Node:
        return await self._transport_for(Capability.ADMINISTRATION).run(command)

    async def _perform(self, operation: Operation[R]) -> R:
        return await self._transport_for(operation.capability).perform(operation)

    def _transport_for(self, capability: Capability) -> Transport:
        if self._permit is not None:
            self._permit()
        for transport in self._transports:
            if capability in transport.capabilities:
                return transport
        raise NotSupported(f"no transport of this peer can do {capability.value}")

    async def _status(self, path: Path | str) -> Node:
        transport = self._transport_for(Capability.ADMINISTRATION)
        return await transport.read_status(path if isinstance(path, Path) else Path.parse(path))

    async def _configuration(self, path: Path | str) -> Node:
        transport = self._transport_for(Capability.ADMINISTRATION)
        path = path if isinstance(path, Path) else Path.parse(path)
        configuration = await transport.read_configuration(path)
        self._spelling.learn(configuration)
        return configuration

    def _round_trip_from_here(self) -> float | None:
        knowing = [t.round_trip for t in self._transports if isinstance(t, KnowsRoundTrip)]
        return min((took for took in knowing if took is not None), default=None)

    def _clock_offset(self, status: Node) -> float | None:
        """To be called at once after the read: the offset is only as good as the read is quick."""
        shown = reading.moment(status.get("SystemUnit SystemTime"))
        if shown is None or self._clock.pace != 1:
            return None
        return round((shown - self._clock.now()).total_seconds())

    async def _page_if_any(self) -> ClusteringPage | None:
        if Capability.CLUSTER_STATUS not in self.capabilities:
            return None
        return await self._perform(ReadClusteringPage())

    async def _time_state(self, status: Node) -> str | None:
        if Capability.TIME_STATUS in self.capabilities:
            return await self._perform(ReadTimeState())
        return reading.ntp_state(status)


def _spelled(spelling: Spelling, settings: Sequence[tuple[str, str]]) -> list[Setting]:
    return [Setting.of(spelling.own(path), value) for path, value in settings]


def _optimized(routed_mode: str | None) -> bool | None:
    return None if routed_mode is None else routed_mode.casefold() == "optimal"


def _unknown(seen: Observation) -> dict[str, str]:
    web = "a second endpoint with the web forms, or an attestation"
    missing = {
        "ntp.state": (seen.ntp.state is None, web),
        "clustering.database_status": (
            seen.clustering.database_status is None and bool(seen.clustering.peers),
            web,
        ),
        "admin_accounts": (seen.admin_accounts is None, web),
        "calls": (seen.calls is None, "a look at Status > Calls"),
        "h323_on": (seen.h323_on is None, "a look at Configuration > Protocols > H.323"),
        "default_links": (seen.default_links is None, "a look at the links"),
        "dual_interfaces": (seen.dual_interfaces is None, "a look at System > IP"),
    }
    return {name: remedy for name, (is_missing, remedy) in missing.items() if is_missing}
