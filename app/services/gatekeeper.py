"""Who may come in, and how often: the first thing that meets a caller.

A wrong key costs one query. Whoever presents many is told to wait before anything is asked of the
database, and what they sent is forgotten; a key that was good a short while ago is let through
meanwhile, so that nobody is locked out by a neighbour behind the same address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.security.keys import Principal, digest_of
from app.security.rates import Buckets, Seen, Taken, whose
from app.services.problems import Problem

LONGEST = 8192
"""Characters of a key or token; nothing longer is looked at."""
REMEMBERED_SECONDS = 600.0
TOLD_EVERY_SECONDS = 60.0
"""A caller that keeps failing is written down once in this time, not at every failure."""

Authenticate = Callable[[str, str], Awaitable[Principal]]
Told = Callable[[str], Awaitable[None]]
"""Writes down that somebody at that address failed to prove who they are."""


class Slow(Problem):
    """Asked too often. `taken` says when to ask again; `quiet`: it is not worth a log line."""

    def __init__(self, detail: str, taken: Taken, *, quiet: bool = False) -> None:
        super().__init__("too-many-requests", detail)
        self.taken = taken
        self.quiet = quiet


@dataclass(frozen=True, slots=True)
class Admitted:
    """A caller who is known, and how many requests are left; None: they are not counted."""

    principal: Principal
    taken: Taken | None


class Gatekeeper:
    """Knows callers, and counts requests and failures. `quota` 0: requests are not counted."""

    def __init__(self, authenticate: Authenticate, told: Told, quota: int, failures: int) -> None:
        self._authenticate = authenticate
        self._told = told
        self._requests = Buckets(quota) if quota else None
        self._failures = Buckets(failures)
        self._good = Seen(REMEMBERED_SECONDS)
        self._written = Seen(TOLD_EVERY_SECONDS)

    @property
    def quota(self) -> int:
        """Requests a minute."""
        return self._requests.quota if self._requests else 0

    async def admit(self, presented: str, address: str) -> Admitted:
        """Who this is. Raises Problem `unauthenticated`, and Slow where it is too often."""
        source = whose(address)
        if not presented or len(presented) > LONGEST:
            raise await self._refused(source, Problem("unauthenticated", "there is no API key"))
        digest = digest_of(presented)
        left = self._failures.look(source)
        if not left.allowed and digest not in self._good:
            raise Slow("too many wrong keys came from this address", left, quiet=True)
        try:
            principal = await self._authenticate(presented, address)
        except Problem as problem:
            if problem.code == "unauthenticated":
                raise await self._refused(source, problem) from None
            raise
        self._good.add(digest)
        if self._requests is None:
            return Admitted(principal, None)
        taken = self._requests.take(principal.id)
        if not taken.allowed:
            raise Slow("this key has used up its requests for the moment", taken)
        return Admitted(principal, taken)

    async def _refused(self, source: str, problem: Problem) -> Problem:
        self._failures.take(source)
        if source not in self._written:
            self._written.add(source)
            await self._told(source)
        return problem
