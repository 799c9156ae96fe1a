"""System names, DNS host names, DNS and NTP servers (guide p.5, 9-10, 12, 14)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence

from app.checks.findings import blocker, unknown, warning
from app.domain.finding import Finding
from app.domain.observation import Observation

_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")


def usual_host_name(system_name: str) -> str:
    """The System name with spaces left out, the usual DNS host name (NEW-M-20, ADD-J-09)."""
    return "".join(system_name.split())


def is_host_name(text: str) -> bool:
    """Whether the text is one DNS label."""
    return _LABEL.fullmatch(text) is not None


def is_fqdn(text: str) -> bool:
    """Whether the text is a name of at least two DNS labels, the last not a number."""
    labels = text.removesuffix(".").split(".")
    return (
        len(labels) > 1
        and len(text) <= 253
        and all(_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )


def host_name(seen: Observation, to_be_set: str = "") -> Iterator[Finding]:
    """System host name is set and one label, or the job sets it (NEW-M-19..23, ADD-J-08..12)."""
    if to_be_set:
        return
    cites = "NEW-M-19 NEW-M-20 NEW-M-22 NEW-M-23 ADD-J-08 ADD-J-09 ADD-J-11 ADD-J-12"
    usual = usual_host_name(seen.system_name)
    remedy = "Set System host name on System > DNS, or give `host_name` in the request" + (
        f" (usually {usual})." if usual else "."
    )
    if not seen.dns.host_name:
        yield blocker(
            "dns-host-name-missing",
            f"{seen.label} has no System host name.",
            remedy,
            cites,
            peer_id=seen.peer_id,
        )
    elif not is_host_name(seen.dns.host_name):
        yield blocker(
            "dns-host-name-invalid",
            f"{seen.dns.host_name!r} of {seen.label} is no DNS host name.",
            remedy,
            cites,
            peer_id=seen.peer_id,
        )


def dns_servers(seen: Observation) -> Iterator[Finding]:
    """A DNS server is set; with unqualified names in use also the domain (NEW-M-10, NEW-M-11)."""
    if not seen.dns.servers:
        yield blocker(
            "dns-server-missing",
            f"{seen.label} has no DNS server.",
            "Set at least one address on System > DNS.",
            "NEW-M-10 ADD-X-10",
            peer_id=seen.peer_id,
        )
    unqualified = [name for name in seen.ntp.servers if _is_unqualified(name)]
    if unqualified and not seen.dns.domain:
        yield blocker(
            "dns-domain-missing",
            f"{seen.label} uses the unqualified name {unqualified[0]} and has no Domain name.",
            "Set Domain name on System > DNS; it is put behind unqualified names.",
            "NEW-M-11 NEW-M-12 ADD-X-11 ADD-X-12",
            peer_id=seen.peer_id,
        )


def time_synchronised(seen: Observation) -> Iterator[Finding]:
    """An NTP server is set and works: State is Synchronized (NEW-M-13, NEW-M-14)."""
    cites = "NEW-M-13 NEW-M-14 ADD-X-13 ADD-X-14 ALM-16 ALM-17"
    if not seen.ntp.servers:
        yield blocker(
            "ntp-server-missing",
            f"{seen.label} has no NTP server.",
            "Set one on System > Time and wait until State is Synchronized.",
            cites,
            peer_id=seen.peer_id,
        )
    elif seen.ntp.state is None:
        yield unknown(
            "ntp-state",
            f"The access paths of {seen.label} do not show the State of System > Time.",
            f"System > Time on {seen.label} shows State Synchronized.",
            cites,
            peer_id=seen.peer_id,
            capability="time_status",
        )
    elif not seen.ntp.synchronised:
        yield blocker(
            "ntp-not-synchronised",
            f"NTP State of {seen.label} is {seen.ntp.state}.",
            "Set a reachable NTP server on System > Time and wait until State is Synchronized.",
            cites,
            peer_id=seen.peer_id,
            evidence={"state": seen.ntp.state, "servers": ", ".join(seen.ntp.servers)},
        )


def different_names(peers: Sequence[Observation]) -> Iterator[Finding]:
    """System names and host names are unique in the cluster (PRE-19, NEW-M-21, ADD-J-10)."""
    yield from _unique(
        peers,
        lambda seen: seen.system_name,
        "system-name-used-twice",
        what="System name",
        where="System > Administration",
        requirements="PRE-19",
    )
    yield from _unique(
        peers,
        lambda seen: seen.dns.host_name,
        "host-name-used-twice",
        what="System host name",
        where="System > DNS",
        requirements="NEW-M-21 ADD-J-10",
    )
    for seen in peers:
        if not seen.system_name:
            yield warning(
                "system-name-missing",
                f"The peer at {seen.address} has no System name.",
                "Set one on System > Administration, different on each peer.",
                "PRE-19",
                peer_id=seen.peer_id,
            )


def cluster_name(name: str) -> Iterator[Finding]:
    """The cluster name is a routable FQDN, the one of the SRV records (NEW-M-31)."""
    if not is_fqdn(name):
        yield blocker(
            "cluster-name-not-fqdn",
            f"The cluster name {name!r} is no fully qualified domain name.",
            "Name the cluster as its SRV records do, for example cluster1.example.com.",
            "NEW-M-31 NEW-M-32",
        )


def _unique(
    peers: Sequence[Observation],
    name_of: Callable[[Observation], str],
    code: str,
    *,
    what: str,
    where: str,
    requirements: str,
) -> Iterator[Finding]:
    users: dict[str, Observation] = {}
    for seen in peers:
        name = name_of(seen).casefold()
        if not name:
            continue
        other = users.setdefault(name, seen)
        if other is not seen:
            yield blocker(
                code,
                f"{other.address} and {seen.address} have the same {what}, {name_of(seen)}.",
                f"Give each peer a {what} of its own on {where}.",
                requirements,
                peer_id=seen.peer_id,
                evidence={"name": name_of(seen)},
            )


def _is_unqualified(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name.removesuffix(".")
    return False
