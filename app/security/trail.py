"""Rows of the audit trail: who did what to what, each hanging on the one before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.security.chain import canonical, link

HERE = "this machine"
"""The actor's name where the service or its command line acts by nobody's order."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What is to be written down. Never holds a secret: ids, names, states and numbers only.

    `outcome` is `done`, `denied` (the caller may not) or `failed` (it was refused otherwise).
    """

    action: str
    outcome: str = "done"
    actor: str = ""
    actor_name: str = HERE
    address: str = ""
    request_id: str = ""
    objects: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """A row: the deed with its number (from 1, no gaps), its time and its place in the chain."""

    seq: int
    at: datetime
    deed: Deed
    before_hash: str
    hash: str


def hash_of(seq: int, at: datetime, deed: Deed, before_hash: str) -> str:
    """The row's link: SHA-256 over the link before it and the row's canonical JSON, in hex."""
    row = {
        "seq": seq,
        "at": at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": deed.actor,
        "actor_name": deed.actor_name,
        "address": deed.address,
        "request_id": deed.request_id,
        "action": deed.action,
        "outcome": deed.outcome,
        "objects": dict(deed.objects),
        "details": dict(deed.details),
    }
    return link(bytes.fromhex(before_hash), canonical(row)).hex()
