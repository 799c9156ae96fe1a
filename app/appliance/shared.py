"""Which configuration is replicated, and which each peer holds for itself (guide p.16-17).

Everything is replicated except the listed items. Reading the whole configuration of a large system
is slow (device facts 1.5 speak of megabytes), so the replicated part is read by its first elements.
"""

from __future__ import annotations

SHARED_ELEMENTS = (
    "Applications",
    "Authentication",
    "Bandwidth",
    "Call",
    "ExternalManager",
    "H323",
    "Interworking",
    "IPProtocol",
    "Links",
    "Login",
    "Pipes",
    "Policy",
    "Registration",
    "SIP",
    "SubZones",
    "Traversal",
    "Transform",
    "TURN",
    "Zones",
)
"""First path words of the replicated configuration."""
