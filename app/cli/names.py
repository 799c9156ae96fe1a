"""Names in place of ids: people say `exp1`, the API says `peer-06f3k2m8q1v5x7z9b2d4f6h8j0`.

Also what a shell completes. That must be quick and must not disturb the line being typed, so there
whatever goes wrong completes to nothing.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx

from app.cli import profile_file
from app.cli.client import ApiError, Client
from app.cli.exits import Stopped, misused

COMPLETION_SECONDS = 2.0
_ID = re.compile(r"^[a-z]+-[0-9a-z]{26}$")
SHOWN = 8


async def found(client: Client, kind: str, name_or_id: str) -> dict[str, Any]:
    """The one resource of this kind. Raises Stopped where there is none, or more than one."""
    path = f"/v1/{kind}s"
    if _ID.match(name_or_id) and name_or_id.startswith(f"{kind}-"):
        return await client.get(f"{path}/{name_or_id}")
    entries = await client.items(path)
    same = [entry for entry in entries if entry["name"].lower() == name_or_id.lower()]
    exact = [entry for entry in same if entry["name"] == name_or_id]
    hits = exact or same
    if len(hits) == 1:
        return hits[0]
    if hits:
        ids = ", ".join(entry["id"] for entry in hits)
        raise misused(f"more than one {kind} is called {name_or_id!r}; say which: {ids}")
    known = [entry["name"] for entry in entries]
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    shown = ", ".join(known[:SHOWN]) or "none"
    raise misused(f"there is no {kind} {name_or_id!r}; known: {shown}{more}")


def complete_profile(incomplete: str) -> list[str]:
    """Names of profiles."""
    try:
        return _starting(incomplete, profile_file.load().by_name)
    except Stopped:
        return []


def complete_cluster(incomplete: str) -> list[str]:
    """Names of clusters."""
    return _listed("/v1/clusters", "name", incomplete)


def complete_peer(incomplete: str) -> list[str]:
    """Names of peers."""
    return _listed("/v1/peers", "name", incomplete)


def complete_procedure(incomplete: str) -> list[str]:
    """Procedures."""
    return _listed("/v1/procedures", "slug", incomplete)


def complete_job(incomplete: str) -> list[str]:
    """The newest jobs."""
    return _listed("/v1/jobs", "id", incomplete)


def _listed(path: str, field: str, incomplete: str) -> list[str]:
    async def ask() -> list[str]:
        profile = profile_file.chosen("")
        async with Client(profile.url, profile.read_key(), COMPLETION_SECONDS) as client:
            page = await client.get(path)
            return [str(entry[field]) for entry in page["items"]]

    try:
        return _starting(incomplete, asyncio.run(ask()))
    except (Stopped, ApiError, httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError):
        return []  # a message here would end up in the middle of the line that is being typed


def _starting(incomplete: str, words: Any) -> list[str]:
    return sorted(word for word in words if word.startswith(incomplete))
