"""What differs between software versions, as data: traps and times (names: `spelling`).

All times are appliance seconds and the only place where the service holds them (design rule 8).
Sources: the X8.2 guide with its page, and the device facts, section 10.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Timings:
    """How long things take (`expected`) and how long to wait before calling it failed (`limit`)."""

    read: float = 2.0
    write: float = 3.0
    backup: float = 120.0
    """"several minutes" (device facts 7)."""
    backup_limit: float = 1800.0
    restart: float = 180.0
    """About 3 minutes (device facts 7)."""
    reboot: float = 300.0
    """About 5 minutes; what `xCommand Boot` does where there is no restart (device facts 3)."""
    restart_limit: float = 2700.0
    """A disk check about every 30 restarts or 6 months makes a restart slow (guide p.6)."""
    factory_reset: float = 1500.0
    """"some 20 or more minutes" (guide p.21)."""
    factory_reset_limit: float = 7200.0
    install: float = 600.0
    """A guess: "several minutes" beside the upload of an image."""
    install_limit: float = 7200.0
    """Public tools wait up to 6000 s for the installer (device facts 7)."""
    replication: float = 120.0
    """The primary's configuration is copied about every 2 minutes (guide p.14)."""
    replication_limit: float = 1200.0
    cluster_status: float = 300.0
    """"5 or more minutes before Expressway reports the successful status" (guide p.15)."""
    cluster_status_limit: float = 1800.0
    alarms_clear: float = 600.0
    """Within 10 minutes (guide p.7), in the field up to 20 (device facts 7)."""
    alarms_clear_limit: float = 1500.0
    calls_clear: float = 600.0
    """A guess at how long calls last; the limit is the caller's."""
    page_refresh: float = 30.0
    page_refresh_limit: float = 300.0
    peer_limit: float = 900.0
    """How long a peer may be out of reach before a step gives up."""
    poll: float = 10.0


@dataclass(frozen=True, slots=True)
class VersionProfile:
    """What the service knows of one line of software.

    `procedures_apply` is False where the X8.2 guide's procedures would do harm: `trap` says why.
    """

    name: str
    procedures_apply: bool
    pre_shared_key: bool = True
    leaving_keeps_configuration: bool = True
    max_round_trip_ms: float = 30.0
    trap: str = ""
    timings: Timings = field(default_factory=Timings)


X8_2 = VersionProfile(name="X8.2", procedures_apply=True)
X8_1 = replace(X8_2, name="X8.1")
X8_5 = replace(
    X8_2,
    name="X8.5-X8.7",
    procedures_apply=False,
    trap="the X8.2 guide was not checked against this version",
)
X8_8 = replace(
    X8_5,
    name="X8.8-X8.10",
    pre_shared_key=False,
    trap="peers of X8.8 and later use TLS instead of a pre-shared key; the X8.2 steps do not fit",
)
X8_11 = replace(
    X8_8,
    name="X8.11 and later",
    leaving_keeps_configuration=False,
    trap=(
        "on X8.11 and later, clearing all peer addresses makes the next restart a factory reset;"
        " the X8.2 steps would wipe the peer"
    ),
)
X12_5 = replace(X8_11, name="X12.5 and later", max_round_trip_ms=80.0)
"""With which release the limit went from 30 to 80 ms is not on record (device facts 10)."""
UNKNOWN = replace(X8_11, name="unknown", trap="this software version is not known to the service")

_VERSION = re.compile(r"X(\d+)\.(\d+)")


def profile_for(version: str) -> VersionProfile:
    """The profile of a software version such as `X8.2` or `X8.11.3`.

    A version that cannot be read gets a profile under which no procedure applies.
    """
    match = _VERSION.match(version)
    if match is None:
        return UNKNOWN
    release = (int(match[1]), int(match[2]))
    if release < (8, 1):
        return replace(X8_5, name="before X8.1")
    for first_later, profile in (
        ((8, 2), X8_1),
        ((8, 3), X8_2),
        ((8, 8), X8_5),
        ((8, 11), X8_8),
        ((12, 5), X8_11),
    ):
        if release < first_later:
            return profile
    return X12_5
