"""The in-process transport's session with one simulated appliance.

It logs in when first used and again after a restart, one exchange at a time, and it is where the
faults of exchanges strike: between a request and its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from transports.base import Endpoint
from transports.errors import (
    AuthenticationFailed,
    Banned,
    Busy,
    CommandRejected,
    ConnectionLost,
    Garbled,
    ReplyTimeout,
    Unreachable,
)
from transports.mock.accounts import Login
from transports.mock.configuration import DeviceRefusal
from transports.mock.expressway import Expressway
from transports.mock.faults import FaultKind
from transports.mock.fleet import Fleet
from transports.mock.web import WebInterface

T = TypeVar("T")
_DEFAULT_CLIENT = "198.51.100.7"


@contextlib.contextmanager
def _declined() -> Iterator[None]:
    """Turns what the appliance declines into the error that callers know."""
    try:
        yield
    except DeviceRefusal as refusal:
        raise CommandRejected(
            refusal.description, cause=str(refusal.cause), description=refusal.description
        ) from None


class Connection:
    """One log-in at one appliance, kept as long as the appliance lets it."""

    def __init__(self, endpoint: Endpoint, fleet: Fleet) -> None:
        self._endpoint = endpoint
        self._fleet = fleet
        self._client = endpoint.options.get("client", _DEFAULT_CLIENT)
        self._lock = asyncio.Lock()
        self._declined = self._root_declined = False
        self._session: tuple[Expressway, int] | None = None
        self._lost = asyncio.Event()

    @property
    def round_trip(self) -> float | None:
        """Milliseconds from the fleet's callers; None before anybody has logged in."""
        if self._session is None:
            return None
        return self._fleet.round_trip_from_outside(self._session[0])

    @property
    def host(self) -> str:
        """The address it goes to."""
        return self._endpoint.host

    def down(self) -> bool:
        """Whether the appliance is known to be down."""
        device = self._fleet.at(self.host)
        return device is not None and not device.up

    async def close(self) -> None:
        """End the session."""
        self._drop_session()

    async def _device(self) -> Expressway:
        """The appliance, logged in. Raises Unreachable, Banned, AuthenticationFailed, Busy."""
        device = self._fleet.at(self.host)
        if device is None or not device.up or not self._fleet.serves(device):
            self._drop_session()
            raise Unreachable(f"{self.host} does not answer")
        if self._session is not None and self._session[0] is device and not self._lost.is_set():
            return device
        if self._declined:
            raise AuthenticationFailed("the same password is not tried a second time")
        await self._fleet.clock.sleep(device.profile.reply)
        outcome = device.log_in(
            self._endpoint.username, self._endpoint.password, client=self._client,
            category="ssh-auth" if self._endpoint.username == "admin" else "web-auth",
        )  # fmt: skip
        if outcome is Login.BANNED:
            raise Banned(f"{self.host} has blocked our address")
        if outcome is Login.WRONG:
            self._declined = True
            raise AuthenticationFailed(f"{self.host} declined the log-in")
        self._lost = asyncio.Event()
        try:
            self._session = (device, device.open_session(self._lost.set))
        except DeviceRefusal as refusal:
            raise Busy(refusal.description) from None
        return device

    def log_in_as_root(self, device: Expressway) -> None:
        """Check the endpoint's root password, where it has one; a wrong one is tried once."""
        if not self._endpoint.root_password:
            return
        if self._root_declined:
            raise AuthenticationFailed("the same root password is not tried again", account="root")
        outcome = device.log_in(
            "root", self._endpoint.root_password, client=self._client, category="ssh-auth"
        )
        if outcome is Login.BANNED:
            raise Banned(f"{self.host} has blocked our address")
        if outcome is Login.WRONG:
            self._root_declined = True
            raise AuthenticationFailed(f"{self.host} declined the log-in of root", account="root")

    async def exchange(self, occasion: str, act: Callable[[Expressway], T]) -> T:
        """Ask for something that is answered at once. Errors as in `transports.errors`."""
        async with self._lock:
            device = await self._asked(occasion)
            with _declined():
                answer = act(device)
            self._answered(device, occasion)
            return answer

    async def dialogue(self, occasion: str, act: Callable[[Expressway], Awaitable[T]]) -> T:
        """Ask for something that takes its time, during which the appliance may go away."""
        async with self._lock:
            device = await self._asked(occasion)
            try:
                with _declined():
                    answer = await self._until_lost(act(device))
            except ConnectionResetError:
                raise ConnectionLost(f"{self.host} went away") from None
            self._answered(device, occasion)
            return answer

    async def _asked(self, occasion: str) -> Expressway:
        """The request has arrived, with everything that may go wrong until then."""
        device = await self._device()
        strike, name = self._fleet.faults.strike, device.name
        if strike(FaultKind.DROP_BEFORE, name, occasion):
            self._drop()
        if fault := strike(FaultKind.DELAY, name, occasion):
            await self._delayed(fault.value)
        await self._fleet.clock.sleep(device.profile.reply)
        self._still_there(device)
        if strike(FaultKind.WRONG_ANSWER, name, occasion):
            words = device.profile.unknown_command
            raise CommandRejected(words, description=words)
        return device

    def _answered(self, device: Expressway, occasion: str) -> None:
        """The answer arrives, unless something goes wrong now."""
        strike, name = self._fleet.faults.strike, device.name
        cut = strike(FaultKind.DROP_AT_BYTE, name, occasion)
        if strike(FaultKind.DROP_AFTER, name, occasion) or cut:
            self._drop()
        if strike(FaultKind.GARBAGE, name, occasion):
            raise Garbled(f"{self.host} answered with noise")
        self._still_there(device)

    async def web(self, occasion: str, act: Callable[[WebInterface], Awaitable[T]]) -> T:
        """Have a page do something that takes time. Unreachable while the web is not up yet."""

        async def visit(device: Expressway) -> T:
            return await act(self._page(device))

        return await self.dialogue(f"web {occasion}", visit)

    async def page(self, occasion: str, act: Callable[[WebInterface], T]) -> T:
        """Have a page do or show something that is done at once."""
        return await self.exchange(f"web {occasion}", lambda device: act(self._page(device)))

    def _page(self, device: Expressway) -> WebInterface:
        if not device.web_up:
            raise Unreachable(f"{self.host}: the web interface does not answer yet")
        return WebInterface(device)

    async def _until_lost(self, work: Awaitable[T]) -> T:
        """The work's result, or ConnectionLost as soon as the appliance goes down."""
        task = asyncio.ensure_future(work)
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({task, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ConnectionLost(f"{self.host} went away")
            return task.result()
        finally:
            lost.cancel()
            if not task.done():
                task.cancel()
            await asyncio.gather(task, lost, return_exceptions=True)

    async def _delayed(self, seconds: float) -> None:
        limit = self._endpoint.limits.reply
        await self._fleet.clock.sleep(min(seconds, limit))
        if seconds >= limit:
            self._drop_session()
            raise ReplyTimeout(f"{self.host} did not answer within {limit:.0f} s")

    def _still_there(self, device: Expressway) -> None:
        if self._lost.is_set() or not self._fleet.serves(device):
            self._drop_session()
            raise ConnectionLost(f"{self.host} went away")

    def _drop(self) -> None:
        self._drop_session()
        raise ConnectionLost(f"{self.host} closed the connection")

    def _drop_session(self) -> None:
        if self._session is not None:
            device, number = self._session
            device.close_session(number)
            self._session = None
