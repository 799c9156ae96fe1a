"""One Expressway as the service knows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """A registered Expressway. `address` is its LAN 1 address, as peer lists name it."""

    id: str
    name: str
    address: str
