"""Every alarm the service knows something about, as data: how to recognise it, what it means.

Numbers, titles and words are those of the device facts (section 9) and of the guide's Appendix 1
(p.27-28). X8.2 says *master* and *slave*, later versions *primary* and *subordinate*: the words
here are those of later versions, and `in_one_wording` brings either to them. The status of an
appliance names an alarm by UUID and text and not by its number; only some UUIDs are on record.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.observation import Alarm


class AlarmLevel(enum.StrEnum):
    """How the appliance itself ranks the alarm (device facts 9)."""

    WARNING = "warning"
    ERROR = "error"
    ALERT = "alert"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class AlarmKind:
    """One alarm of the catalogue.

    `numbers` has several where the text alone does not tell which it is, and none where no number
    is on record. `says` are the ways to say it: how the title begins, and what the whole text must
    also hold. `verified` is False where the number is an inference (device facts 9).
    """

    key: str
    numbers: tuple[int, ...]
    says: tuple[tuple[str, str], ...]
    cause: str
    action: str
    requirements: tuple[str, ...] = ()
    level: AlarmLevel = AlarmLevel.WARNING
    uuid: str = ""
    verified: bool = True

    @property
    def number(self) -> int | None:
        """The five-digit id, where there is just one."""
        return self.numbers[0] if len(self.numbers) == 1 else None

    @property
    def title(self) -> str:
        """How the alarm begins, in the later wording; "" where that is not on record."""
        return self.says[0][0] if self.says else ""


def in_one_wording(text: str) -> str:
    """Folded, with both spellings of primary and subordinate brought to the later one."""
    folded = " ".join(text.split()).casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return folded.replace("master", "primary").replace("slave", "subordinate")


def kind_of(uuid: str, title: str, description: str) -> AlarmKind | None:
    """What an alarm of the status is: by its UUID where that is on record, else by its words."""
    found = _BY_UUID.get(uuid.strip().casefold())
    if found is not None:
        return found
    head, text = in_one_wording(title), in_one_wording(f"{title} {description}")
    for kind in CATALOGUE:
        if any(head.startswith(start) and words in text for start, words in kind.says):
            return kind
    return None


def kind_of_alarm(alarm: Alarm) -> AlarmKind | None:
    """What an alarm that was read is; by its number last, for alarms from elsewhere."""
    found = kind_of(alarm.uuid, alarm.title, alarm.description)
    if found is None and alarm.number is not None:
        return _BY_NUMBER.get(alarm.number)
    return found


def search(wanted: str) -> Iterator[AlarmKind]:
    """Entries for a number, a UUID, or a text as an appliance or the guide writes it.

    A text may be a whole alarm, or a part of what the catalogue says of one.
    """
    text = in_one_wording(wanted).strip(_QUOTES)
    if text.isdecimal():
        yield from (kind for kind in CATALOGUE if int(text) in kind.numbers)
    elif text in _BY_UUID:
        yield _BY_UUID[text]
    elif (whole := _whole_alarm(text)) is not None:
        yield whole
    elif text:
        yield from (kind for kind in CATALOGUE if text in _all_words(kind))


def _whole_alarm(text: str) -> AlarmKind | None:
    # Title and details are joined by a dash in the status and by a colon in the guide.
    title, _, details = text.replace(" - ", ": ", 1).partition(": ")
    return kind_of("", title, details) if details else None


def _all_words(kind: AlarmKind) -> str:
    said = " ".join(f"{start} {words}" for start, words in kind.says)
    return in_one_wording(f"{kind.key} {said} {kind.cause} {kind.action}")


def _kind(
    key: str,
    numbers: int | tuple[int, ...] | None,
    says: str,
    cause: str,
    action: str,
    *,
    cites: str = "",
    level: AlarmLevel = AlarmLevel.WARNING,
    uuid: str = "",
    verified: bool = True,
) -> AlarmKind:
    """`says` is `title ... words that follow`, several of them parted by bars."""
    ways = [way.partition("...") for way in says.split("|")]
    return AlarmKind(
        key=key,
        numbers=(numbers,) if isinstance(numbers, int) else numbers or (),
        says=tuple((start.strip(), words.strip()) for start, dots, words in ways if start or dots),
        cause=cause,
        action=action,
        requirements=tuple(cites.split()),
        level=level,
        uuid=uuid,
        verified=verified,
    )


def _restart(key: str, numbers: int | tuple[int, ...], words: str, what: str) -> AlarmKind:
    return _kind(
        key,
        numbers,
        f"restart required ... {words}",
        f"{what} has been changed; the change takes effect at the next restart.",
        "Restart the peer: one peer of a cluster at a time, the next when it is back.",
        cites="PRE-18 NEW-F-01 NEW-F-02 ADD-F-01 ADD-F-02",
    )


_QUOTES = "\"' \N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"
_FORCE = (
    "Where this peer is not the primary and the primary's configuration is known to be good: take"
    " a backup, then run ForceConfigUpdate on this peer."
)

CATALOGUE: tuple[AlarmKind, ...] = (
    # -- clustering (guide p.27-28, device facts 9)
    _kind("cluster-name-missing", 20019, "cluster name not configured",
          "The peer is in a cluster and has no cluster name.",
          "Set the same cluster name on every peer: the FQDN that the SRV records of the"
          " cluster use.",
          cites="ALM-01 ALM-02 ALM-03 ALM-04"),
    _kind("invalid-cluster-configuration", 20003, "invalid cluster configuration",
          "The peer list misses this peer's own address, or names an address twice.",
          "Correct the list on System > Clustering: every peer once, this one included.",
          cites="ALM-18 ALM-19 ALM-20"),
    _kind("cluster-communication", 20004, "cluster communication failure",
          "The peer cannot talk to one or more of the peers it lists: one is off or restarting,"
          " the network between them is blocked, or their list, name or pre-shared key differ.",
          "Compare cluster name, peer list and pre-shared key of all peers, and look whether"
          " all are up and reach each other.",
          cites="PRE-08 PRE-11",
          uuid="3bca6888-f622-11df-93be-07cc953d7b99"),
    _kind("invalid-peer-address", 20005, "invalid peer address",
          "A peer field holds something that is not the address of a peer.",
          "Correct the fields on System > Clustering: LAN 1 addresses.",
          cites="ALM-39 ALM-40"),
    _kind("cluster-database-communication", 20006, "cluster database communication failure",
          "The cluster database cannot replicate with one or more of the peers.",
          "Mend what keeps the peers apart; where nothing does, restart this peer.",
          cites="PRE-08 PRE-11",
          uuid="0f96695e-d954-4f6f-85c1-2ef1eae6f764"),
    _kind("restart-for-clustering", 20007, "restart required ... cluster configuration has been",
          "Cluster configuration has been changed and takes effect at the next restart.",
          "Restart the peer: one peer of a cluster at a time, the next when it is back.",
          cites="NEW-M-44 NEW-F-01 NEW-F-02 ADD-F-01 ADD-F-02",
          uuid="e2b8e3d1-b731-4d7d-b606-4682a8f0c2e6"),
    _kind("replication-paused-by-upgrade", 20008,
          "cluster replication error ... upgrade is in progress",
          "Automatic replication is switched off while peers run different software.",
          "Wait until the upgrade of all peers has completed.",
          cites="ALM-21 ALM-22"),
    _kind("configuration-conflict", 20011,
          "cluster replication error ... conflicts with the primary",
          "Shared configuration was changed on this peer and conflicts with the primary's.",
          _FORCE,
          cites="ALM-05 ALM-09 ALM-10 ALM-11 ALM-12 ALM-13 ALM-14 ALM-15"),
    _kind("cluster-settings-differ", 20012, "cluster replication error ... do not match",
          "Cluster name, peer list or primary of this peer are not those of the primary.",
          "Correct System > Clustering on this peer.",
          cites="ALM-02 ALM-20"),
    _kind("configuration-file-missing", 20014, "cluster replication error ... cannot find primary",
          "The primary's configuration file, or this peer's, was not found.",
          _FORCE,
          cites="ALM-05 ALM-07 ALM-10 ALM-11 ALM-12 ALM-13 ALM-14 ALM-15"),
    _kind("missing-in-own-list", 20015,
          "cluster replication error ... does not appear in the list of peers",
          "The peer list of this peer does not name the peer itself.",
          "Check and correct the list on the primary, and copy it to all other peers.",
          cites="ALM-18 ALM-19 ALM-20"),
    _kind("ntp-unreachable", (20010, 20013),
          "cluster replication error ... ntp server is unreachable",
          "The peer reaches no NTP server, so it does not replicate.",
          "Configure a reachable NTP server on System > Time.",
          cites="ALM-16 ALM-17",
          verified=False),
    _kind("primary-unreachable", 20016, "cluster replication error ... unreachable",
          "The peer does not reach the primary.",
          "See whether the primary is up and reachable from this peer, and whether both name"
          " the same primary.",
          cites="PRE-08 PRE-11"),
    _kind("primary-inconsistent", 20017,
          "cluster replication error ... is inconsistent | cluster primary mismatch",
          "Two peers name different primaries.",
          "Set the same Configuration master on every peer; where the alarm stays on a peer"
          " that is not the primary, force a configuration update there.",
          cites="ALM-05 ALM-08 ALM-10 ALM-14 ALM-15"),
    _kind("manual-synchronisation", None, "cluster replication error ... manual synchroni",
          "The peer's configuration cannot be brought in line automatically.",
          _FORCE,
          cites="ALM-05 ALM-06 ALM-10 ALM-11 ALM-12 ALM-13 ALM-14 ALM-15"),
    _kind("replication-error", 20009, "cluster replication error",
          "Automatic replication of the configuration met an error.",
          "Follow the words of the alarm, and compare System > Clustering of all peers.",
          cites="ALM-05"),
    _kind("h323-off", 20018, "invalid clustering configuration ... h.323",
          "H.323 mode is off although peers use H.323 between themselves.",
          "Set H.323 mode to On on Configuration > Protocols > H.323.",
          cites="ALM-23 ALM-24 PRE-20"),
    _kind("later-cluster-alarm", (20020, 20021, 20024, 20025, 20026), "",
          "An alarm of clustering of versions after X8.2: TLS between peers, ports, or the"
          " cluster database.",
          "Follow the words of the alarm, and the guide of that version.",
          level=AlarmLevel.CRITICAL,
          verified=False),
    # -- the database and the system
    _kind("database-failure", 15005, "expressway database failure | database failure",
          "The cluster database of this peer is damaged.",
          "Take a system snapshot for the support representative; then remove the peer from the"
          " cluster, restore its own earlier backup and add it again, together with them.",
          cites="ALM-25 ALM-26 ALM-27 ALM-28 ALM-29 ALM-30"),
    _kind("database-not-loaded", 15008, "failed to load database",
          "The database could not be loaded; some configuration is lost.",
          "Restore the peer's own latest backup.",
          cites="ALM-29"),
    _kind("application-failed", 15004, "application failed",
          "The appliance's software met an unexpected error.",
          "Send the incident report to the support representative.",
          level=AlarmLevel.ERROR),
    _kind("system-busy", 15007, "the system is busy",
          "The appliance is busy with a change of its own.",
          "Wait and look again.",
          level=AlarmLevel.ALERT),
    _kind("factory-reset-started", 15009, "factory reset started",
          "A factory reset is under way.",
          "Wait until it has ended; it takes 20 minutes or more.",
          level=AlarmLevel.ALERT),
    _kind("factory-reset-failed", 15013, "factory reset failed",
          "A factory reset did not come to its end.",
          "Read the words of the alarm and repeat the reset.",
          level=AlarmLevel.ALERT),
    _kind("maintenance-mode", 15015, "maintenance mode",
          "Maintenance mode is on: the peer takes no new calls and registrations.",
          "Switch maintenance mode off when the work on the peer has ended.",
          cites="NEW-F-04 NEW-F-05"),
    _kind("restore-failed", 15023, "restore failed",
          "A restore did not come to its end.",
          "Restore again; where it fails again, use another backup of this peer.",
          cites="ALM-29",
          level=AlarmLevel.ERROR),
    # -- restarts, by what asks for them
    _restart("restart-for-option-key", 30025, "option key", "An option key"),
    _restart("restart-for-software", (15006, 15014, 15022, 15028), "upgraded", "The software"),
    _restart("restart-for-ethernet", 25009, "ethernet configuration", "Ethernet configuration"),
    _restart("restart-for-ip", 25010, "ip configuration", "IP configuration"),
    _restart("restart-for-network", 25001, "network configuration", "Network configuration"),
    _restart("restart-for-https", 25011, "https service", "The HTTPS service"),
    _restart("restart-for-ssh", 25015, "ssh service", "The SSH service"),
    _restart("restart-for-http", 25017, "http service", "The HTTP service"),
    _restart("restart-required", (15006, 15014, 15022, 15028), "", "Some configuration"),
    # -- network and time
    _kind("time-not-validated", 25002, "date and time not validated",
          "The peer got no valid time from any NTP server.",
          "Configure a reachable NTP server on System > Time.",
          cites="ALM-16 ALM-17 NEW-M-13 NEW-M-14",
          uuid="992bace4-fac4-11de-91d1-00223ff026c1"),
    _kind("ntp-client-failure", 25020, "ntp client failure",
          "The peer cannot run its NTP client.",
          "Check System > Time; restart the peer where the settings are right.",
          cites="ALM-17"),
    _kind("ntp-not-available", 25021, "ntp server not available",
          "The peer cannot contact an NTP server.",
          "Configure a reachable NTP server on System > Time.",
          cites="ALM-16 ALM-17 NEW-M-13 NEW-M-14",
          uuid="56571d3a-66de-11e1-9891-534a0e304347"),
    _kind("ethernet-speed", 25016, "ethernet speed not recommended",
          "An interface has negotiated a speed or duplex mode that is not recommended.",
          "Set both ends of the link to Auto, or to the same fixed speed.",
          cites="NEW-M-04"),
    # -- licences, passwords, keys
    _kind("licences-of-lost-peer", (30012, 30013, 30014, 30015, 30016, 30017),
          "... licenses of a lost cluster peer",
          "The cluster uses the licences of a peer it has lost; the grace period is two weeks.",
          "Bring the lost peer back, or buy licences before the two weeks are over."),
    _kind("default-root-password", 40003, "insecure password in use ... root",
          "The root account has its default password.",
          "Set another root password."),
    _kind("default-admin-password", 40005, "insecure password in use ... admin",
          "The admin account has its default password.",
          "Set another admin password.",
          level=AlarmLevel.ERROR),
    _kind("release-key-invalid", None, "invalid release key",
          "The release key does not fit the software.",
          "Ask Cisco for the release key of this software.",
          uuid="4836f60e-02de-11e0-bb2e-abe08f6f1f29"),
)  # fmt: skip
"""In the order in which texts are compared: the more telling entry of a title comes first."""

_BY_UUID = {kind.uuid: kind for kind in CATALOGUE if kind.uuid}
_BY_NUMBER = {number: kind for kind in reversed(CATALOGUE) for number in kind.numbers}

CLUSTER_NUMBERS = frozenset(range(20003, 20027))
"""Alarms of clustering; expected while a procedure changes the cluster, gone after it."""
