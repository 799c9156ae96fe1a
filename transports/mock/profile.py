"""What kind of appliance the fleet plays: software, timings, and every fact nobody has recorded.

A simulated fleet proves little if it hides a guess. So each behaviour of the appliance that the
device facts list as NOT FOUND or unverified is a setting here, with the most likely value as its
default, and a rehearsal can be run with the other values too. Times are device seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

DEFAULT_VERSION = "X8.2"


@dataclass(frozen=True)
class DeviceProfile:
    """How every appliance of one fleet behaves. Facts are cited by their section."""

    version: str = DEFAULT_VERSION

    # Words of the version (facts 10).
    master_item: str = "ConfigurationMaster"
    """`ConfigurationPrimary` in later releases; the release of the change is not on record."""
    master_word: str = "master"
    subordinate_word: str = "slave"
    has_pre_shared_key: bool = True
    peers_by_name: bool = False
    """Whether a peer field takes a name; from X8.8 on."""
    clearing_peers_resets: bool = False
    """Whether clearing all peer addresses means a factory reset at the next restart: X8.11+."""
    backup_needs_password: bool = False
    dns_servers_below_ip: bool = True
    """`IP DNS Server n Address` (unverified) instead of X15's `DNS Server n Address`."""

    # Timings (facts 7).
    restart: float = 180.0
    reboot: float = 300.0
    disk_check: float = 600.0
    disk_check_every: int = 30
    shutdown_delay: float = 2.0
    """From the answer to the moment when connections drop; unverified."""
    web_after_boot: float = 15.0
    """How much later than the CLI the web interface answers; unverified."""
    factory_reset: float = 1200.0
    replication_period: float = 120.0
    status_unknown_for: float = 5.0
    status_lag: float = 150.0
    """Until System > Clustering shows a joined peer as Active; the guide: 5 or more minutes."""
    database_alarm_delay: float = 0.2
    communication_alarm_delay: float = 0.45
    alarm_delay: float = 0.2
    alarm_clear_delay: float = 30.0
    ntp_sync: float = 60.0
    backup: float = 90.0
    restore: float = 120.0
    install: float = 420.0
    reply: float = 0.05
    force_update: float = 5.0
    call_seconds: float = 900.0
    ban_after: int = 5
    ban_seconds: float = 3600.0

    # The command line (facts 1; the prompt, banner and error text are NOT FOUND).
    prompt: str = ""
    root_prompt: str = "~ # "
    banner: str = "TANDBERG Video Communication Server {version}"
    banner_ok: bool = True
    """Whether the banner ends with a line OK, as the answers do; unverified."""
    echo: bool = True
    line_end: str = "\r\n"
    unknown_command: str = "Command not recognized."
    unknown_command_ok: bool = False
    error_result_ok: bool = True
    """Whether an OK line follows the *r block of a declined command; the facts allow both."""
    max_line: int = 4096
    refused_write: str = "Error: {description}"
    """What a refused xConfiguration write answers; unverified. No OK follows."""
    session_limit: int = 48
    root_backup_prints_archive: bool = True
    """Whether `/sbin/backup.sh` writes the archive or names a file; unverified."""

    # What can be seen where (facts 4 and 12).
    status_shows_cluster: bool = False
    ntp_status_path: str = ""
    """Where xStatus has the NTP state: "" (only the web page), "NTP" or "Time"."""
    time_synchronized: str = "Synchronized"
    time_unsynchronized: str = "Not synchronized"
    database_active: str = "Active"
    database_failed: str = "Failed"
    database_standalone: str = ""
    has_restart_command: bool = False
    account_deleted_by: str = "Name"
    """The parameter of AdminAccountDelete: `Name` (X15) or `AdminAccountId` (X4); unverified."""
    accepts_misspelt_default_value_set: bool = False
    ntp_alarm: int = 20010
    """The number of the alarm "the NTP server is unreachable": 20010 or 20013, unverified."""

    # What a change brings about (not on record in the detail a simulation needs).
    restart_alarm_for: str = "additions"
    """Which peer-list changes raise 20007 on a peer that is a member and stays one: `additions`,
    `any-change` or `own-membership`. Joining, leaving, name and key always raise it."""
    restart_activates_upgrade: bool = False
    """Whether a restart without reboot starts newly installed software (facts 7: "next reboot")."""
    level_2_also_resets: tuple[str, ...] = ()
    """Paths that DefaultValuesSet Level 2 resets beyond the documented ones."""
    local_edits_conflict: bool = False
    """Whether shared configuration edited on a non-master stops replication (20011) instead of
    being overwritten; the guide (p.17) allows both."""

    def __post_init__(self) -> None:
        if self.restart_alarm_for not in {"additions", "any-change", "own-membership"}:
            raise ValueError("restart_alarm_for: additions, any-change or own-membership")
        if self.account_deleted_by not in {"Name", "AdminAccountId"}:
            raise ValueError("account_deleted_by: Name or AdminAccountId")
        if self.ntp_status_path not in {"", "NTP", "Time"}:
            raise ValueError("ntp_status_path: empty, NTP or Time")


def for_version(version: str, **changes: object) -> DeviceProfile:
    """The profile of a software version, with changed settings.

    X8.1 and X8.2 are the guide's. Anything from X8.11 on is good enough to rehearse the trap of
    facts 0.9 (clearing the peers wipes the appliance), no more.
    """
    profile = DeviceProfile(version=version)
    number = release(version)
    if number >= (8, 6):
        profile = replace(profile, master_word="primary", subordinate_word="subordinate")
    if number >= (8, 8):
        profile = replace(profile, has_pre_shared_key=False, peers_by_name=True)
    if number >= (8, 11):
        profile = replace(profile, clearing_peers_resets=True, backup_needs_password=True)
    if number >= (14,):
        profile = replace(
            profile,
            master_item="ConfigurationPrimary",
            has_restart_command=True,
            dns_servers_below_ip=False,
        )
    return replace(profile, **changes)  # type: ignore[arg-type]  # names are checked by replace


def release(version: str) -> tuple[int, ...]:
    """`X8.11.3` as (8, 11, 3)."""
    return tuple(int(part) for part in version.removeprefix("X").split(".") if part.isdigit())
