"""What the web pages do, as methods: for what has no API on X8.x (facts 0.2, 5, 7).

The HTTPS server draws the pages and calls these; the in-process transport calls them directly. Each
page validates its own form and refuses with the sentence it would show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from transports.mock import backup, commands
from transports.mock.configuration import DeviceRefusal
from transports.mock.expressway import Expressway
from transports.mock.faults import FaultKind
from transports.mock.profile import release
from transports.mock.schema import is_address

MAX_PEERS = 6
_BACKUPS_KEPT = 20
_IMAGE_MAGIC = b"EXPRESSWAY-IMAGE "


@dataclass(frozen=True)
class ClusteringForm:
    """System > Clustering as a form: what is shown, and what is sent back with Save.

    `key` is None where the caller leaves the pre-shared key as it is, "" to delete it. The page
    never shows it: `key_set` says whether there is one.
    """

    cluster_name: str
    master: int
    peers: tuple[str, ...]
    key: str | None = field(default=None, repr=False)
    key_set: bool = False
    statuses: tuple[str, ...] = ()
    database_status: str = ""


def image(version: str) -> bytes:
    """A software image for the simulated fleet: what its upgrade page accepts."""
    return _IMAGE_MAGIC + version.encode() + b"\n"


class WebInterface:
    """The web interface of one appliance, behind its log-in."""

    def __init__(self, device: Expressway) -> None:
        self._device = device

    def read_clustering(self) -> ClusteringForm:
        """The page as shown."""
        cluster = self._device.cluster
        saved = cluster.saved()
        return ClusteringForm(
            cluster_name=saved.name,
            master=saved.master,
            peers=saved.peers,
            key_set=bool(saved.key),
            statuses=tuple(cluster.status_word(address) for address in saved.peers),
            database_status=cluster.database_status(),
        )

    def save_clustering(self, form: ClusteringForm) -> None:
        """Save the page; all of it or nothing. Raises DeviceRefusal with the page's words."""
        device = self._device
        peers = (*form.peers, *[""] * MAX_PEERS)[:MAX_PEERS]
        listed = [peer for peer in peers if peer]
        if len(form.peers) > MAX_PEERS:
            raise DeviceRefusal(f"A cluster has at most {MAX_PEERS} peers")
        if not device.profile.peers_by_name and not all(map(is_address, listed)):
            raise DeviceRefusal("Peer address must be an IP address")
        if len(set(listed)) != len(listed):
            raise DeviceRefusal("The list of peers contains duplicates")
        if not 1 <= form.master <= MAX_PEERS:
            raise DeviceRefusal("Configuration master is out of range")
        if form.key is not None and not device.profile.has_pre_shared_key:
            raise DeviceRefusal("This software version has no cluster pre-shared key")
        key = device.cluster.key if form.key is None else form.key
        if listed and device.profile.has_pre_shared_key and not key:
            raise DeviceRefusal("A cluster pre-shared key is required when peers are configured")
        if device.fleet.faults.strike(FaultKind.IGNORED_WRITE, device.name, "clustering page"):
            return
        device.configuration.check(["Alternates", "Cluster", "Name"], form.cluster_name)
        settings = {
            "Alternates Cluster Name": form.cluster_name,
            f"Alternates {device.profile.master_item}": str(form.master),
        } | {f"Alternates Peer {n} Address": peer for n, peer in enumerate(peers, start=1)}
        for path, value in settings.items():
            device.configuration.put(path, value)
        device.cluster.key = key
        device.after_configuration()

    def set_pre_shared_key(self, key: str) -> None:
        """Change the key alone, as the page does when nothing else was changed on it."""
        if not self._device.profile.has_pre_shared_key:
            raise DeviceRefusal("This software version has no cluster pre-shared key")
        if len(key) > 255:
            raise DeviceRefusal("The cluster pre-shared key is too long")
        if self._device.fleet.faults.strike(
            FaultKind.IGNORED_WRITE, self._device.name, "clustering page"
        ):
            return
        self._device.cluster.set_key(key)

    def time_state(self) -> str:
        """The State word of System > Time."""
        profile = self._device.profile
        good = self._device.ntp_synchronized
        return profile.time_synchronized if good else profile.time_unsynchronized

    def restart(self) -> None:
        """Maintenance > Restart options > Restart, confirmed."""
        self._device.restart(reboot=False)

    def reboot(self) -> None:
        """Maintenance > Restart options > Reboot, confirmed."""
        self._device.restart(reboot=True)

    async def create_backup(self, password: str = "") -> backup.BackupFile:
        """Maintenance > Backup and restore > Create; takes its time. Raises DeviceRefusal."""
        device = self._device
        if device.profile.backup_needs_password and not password:
            raise DeviceRefusal("A backup password is required")
        start = device.booted_at
        await device.clock.sleep(device.profile.backup)
        if not device.up or device.booted_at != start:
            raise ConnectionResetError
        if device.fleet.faults.strike(FaultKind.DISK_FULL, device.name):
            raise DeviceRefusal("There is not enough disk space to create the backup")
        made = backup.pack(
            version=device.version,
            serial=device.serial,
            at=device.clock.date(device.clock_skew),
            device_time=device.clock.now(),
            values=device.configuration.values(),
            password=password,
        )
        device.backups = [*device.backups[-_BACKUPS_KEPT + 1 :], made]
        device.changed("backup")
        return made

    async def restore(self, data: bytes, password: str = "") -> None:
        """Upload a backup and go on with the restore; the appliance restarts."""
        device = self._device
        if device.cluster.saved().listed:
            raise DeviceRefusal("Remove the system from its cluster before restoring a backup")
        values = backup.unpack(data, version=device.version, password=password)
        await device.clock.sleep(device.profile.restore)
        if not device.up:
            raise ConnectionResetError
        device.wipe("restore")
        device.configuration.load(values)
        device.after_configuration()
        device.restart(reboot=False)

    async def install(self, data: bytes) -> str:
        """Maintenance > Upgrade: upload an image and install it; the version it holds.

        The new software is used from the next reboot on (facts 7).
        """
        device = self._device
        corrupt = device.fleet.faults.strike(FaultKind.IMAGE_CORRUPT, device.name)
        line = data.split(b"\n", 1)[0]
        if corrupt or not line.startswith(_IMAGE_MAGIC):
            raise DeviceRefusal("The software image is not valid")
        version = line.removeprefix(_IMAGE_MAGIC).decode("ascii", "replace")
        if not release(version):
            raise DeviceRefusal("The software image is not valid")
        # The appliance goes on by itself, whether or not the caller stays to see it.
        return await asyncio.shield(device.in_background(self._install(version)))

    async def _install(self, version: str) -> str:
        device = self._device
        start = device.booted_at
        device.installing = True
        device.changed("installing")
        device.fleet.reconsider(device)
        try:
            await device.clock.sleep(device.profile.install)
        finally:
            device.installing = False
        if not device.up or device.booted_at != start:
            raise ConnectionResetError
        device.pending_version = version
        device.alarms.want(15022, wanted=True)
        device.changed("installed")
        return version

    def admin_accounts(self) -> Sequence[str]:
        """Users > Administrator accounts."""
        return self._device.accounts.names()

    def delete_admin_account(self, name: str) -> None:
        """Delete one of them. Raises DeviceRefusal for the default account."""
        commands.delete_admin_account(self._device, name)

    def lync_b2bua(self) -> bool:
        """Applications > B2BUA > Microsoft Lync > Configuration: whether it is Enabled."""
        return self._device.lync_b2bua

    def set_lync_b2bua(self, enabled: bool) -> None:
        """Enable or disable it and save."""
        if self._device.lync_b2bua != enabled:
            self._device.lync_b2bua = enabled
            self._device.changed("lync b2bua")

    def acknowledge(self, number: int) -> None:
        """Status > Alarms > Acknowledge."""
        self._device.alarms.acknowledge(number)
