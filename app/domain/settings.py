"""A peer's whole configuration at one moment, as the settings matrix compares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """Path -> value of every setting, and the features that the option keys switch on.

    Holds whatever the peer shows, encrypted passwords included; who shows it on must hide those.
    """

    peer_id: str
    name: str
    values: Mapping[str, str]
    features: Mapping[str, str]

    def __repr__(self) -> str:
        """Without the values."""
        return f"PeerSettings({self.peer_id!r}, {len(self.values)} settings)"
