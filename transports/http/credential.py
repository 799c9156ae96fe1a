"""The one user name and password of an endpoint, and the rule that a wrong one is sent once.

The appliance bans a client address after a few failures (device facts, decision 6), and the ban
hits every other tool behind that address. So the first exchange that carries the password has it
alone, and after a refusal this object never gives it out again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from transports.errors import AuthenticationFailed


class Credential:
    """User name and password, and what the appliance has said about them so far."""

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self._password = password
        self._proved = False
        self._declined = False
        self._first = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Credential({self.username!r})"

    @asynccontextmanager
    async def given_out(self) -> AsyncIterator[str]:
        """The password, for one exchange. Raises AuthenticationFailed once it was declined."""
        self._refuse_if_declined()
        if self._proved:
            yield self._password
            return
        async with self._first:
            self._refuse_if_declined()
            yield self._password

    def accepted(self) -> None:
        """The appliance took it: from now on exchanges need not wait for each other."""
        self._proved = True

    def declined(self) -> AuthenticationFailed:
        """The appliance did not take it. Returns the error to raise."""
        self._declined = True
        return AuthenticationFailed(f"the appliance declined the log-in of {self.username!r}")

    def _refuse_if_declined(self) -> None:
        if self._declined:
            raise AuthenticationFailed(
                f"the appliance declined the log-in of {self.username!r} before; it is not repeated"
            )
