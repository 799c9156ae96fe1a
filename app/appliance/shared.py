"""Which configuration each peer holds for itself; everything else is replicated (guide p.16-17)."""

from __future__ import annotations

from functools import lru_cache

from transports.document import Path

PEER_SPECIFIC = (
    "Alternates",
    "Ethernet",
    "IP",
    "SystemUnit Name",
    "SystemUnit Maintenance",
    "DNS",
    "NTP",
    "TimeZone",
    "SNMP",
    "Log",
    "Logger",
    "RemoteSyslog",
    "Administration",
    "Management Interface",
    "NetworkInterface",
    "Option",
)
"""Leading path words. `IPProtocol` is shared although LAN settings are not."""

_PREFIXES = tuple(tuple(words.casefold().split()) for words in PEER_SPECIFIC)


def is_shared(path: Path) -> bool:
    """Whether the setting at the path is replicated from the primary."""
    return _begins_shared(tuple(segment.name for segment in path.segments[:2]))


@lru_cache(maxsize=1024)
def _begins_shared(names: tuple[str, ...]) -> bool:
    words = tuple(name.casefold() for name in names)
    return not any(words[: len(prefix)] == prefix for prefix in _PREFIXES)
