"""One connection to the appliance's web server, one exchange at a time.

The web server of these appliances is small: a fixed number of clients, and each kept connection
takes one (device facts 5). A transport has two channels at most, one for the XML API and one for
the web forms; a channel has one connection and closes it when it has been idle for a while. No
proxy, no environment, no redirect is followed: the password goes to the pinned server or nowhere.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import TypeVar

import httpx

from transports import round_trip
from transports.base import Endpoint
from transports.errors import Garbled, ReplyTimeout, ReplyTooLarge
from transports.http.failures import translated, translation
from transports.http.tls import find_mismatch, identity_changed

T = TypeVar("T")

IDLE_SECONDS = 10.0
"""Shorter than the 15 s after which the appliance itself drops an idle connection."""
MAX_COOKIES = 50


@dataclass(frozen=True)
class Request:
    """One request. `seconds` is the time for the whole exchange once the connection stands."""

    method: str
    target: str
    seconds: float
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | AsyncIterable[bytes] | None = field(default=None, repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)


class Incoming:
    """A reply whose head has arrived. Its body is read at most once, within a limit."""

    def __init__(self, response: httpx.Response, where: str) -> None:
        self._response = response
        self._where = where
        self.status = response.status_code
        self.location = response.headers.get("location", "")
        self.content_type = response.headers.get("content-type", "").casefold()
        self.disposition = response.headers.get("content-disposition", "")

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises ConnectionLost where it ends early."""
        if self._response.headers.get("content-encoding", "identity").casefold() != "identity":
            # None was asked for, and a small compressed reply can grow without bound.
            raise Garbled(f"{self._where} compressed its reply unasked")
        source = aiter(self._response.aiter_raw())
        while True:
            with translated(self._where):
                piece = await anext(source, None)
            if piece is None:
                return
            yield piece

    async def body(self, limit: int) -> bytes:
        """The whole body. Raises ReplyTooLarge as soon as more than `limit` bytes are known of."""
        announced = self._response.headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > limit:
            raise ReplyTooLarge(f"{self._where} announces a reply of more than {limit} bytes")
        collected = bytearray()
        async for piece in self.pieces():
            collected += piece
            if len(collected) > limit:
                raise ReplyTooLarge(f"{self._where} sends a reply of more than {limit} bytes")
        return bytes(collected)


class Channel:
    """A lock, at most one open connection, and the cookies that belong to it."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext) -> None:
        self._endpoint = endpoint
        self._context = context
        self._client: httpx.AsyncClient | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self.cookies = CookieJar()
        self.round_trip: float | None = None
        """See `transports.base.KnowsRoundTrip`."""
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        # As a browser writes it: old software compares the Referer with its own address.
        self.base = f"https://{host}" + (f":{endpoint.port}" if endpoint.port != 443 else "")
        self._where = f"{endpoint.host}:{endpoint.port}"

    @property
    def turn(self) -> asyncio.Lock:
        """Held by a caller for as long as its exchanges belong together."""
        return self._turn

    async def send(self, request: Request, receive: Callable[[Incoming], Awaitable[T]]) -> T:
        """Send the request and let `receive` read the reply; the turn must be held.

        What `receive` or the request's own content raises comes through unchanged.
        """
        # The connection and its handshake have their own limit each, which strikes first.
        deadline = asyncio.timeout(2 * self._endpoint.limits.connect + request.seconds)
        try:
            async with deadline:
                return await self._exchange(request, receive)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise ReplyTimeout(f"{self._where} did not finish its answer in time") from None
        finally:
            self._rearm()

    async def _exchange(
        self,
        request: Request,
        receive: Callable[[Incoming], Awaitable[T]],
    ) -> T:
        client = self._opened()
        limits = self._endpoint.limits
        times = httpx.Timeout(request.seconds, connect=limits.connect, pool=limits.connect)
        try:
            with translated(self._where):
                outgoing = client.build_request(
                    request.method,
                    self.base + request.target,
                    headers=dict(request.headers),
                    content=request.content,
                    timeout=times,
                )
                auth = httpx.BasicAuth(*request.auth) if request.auth else None
                response = await client.send(outgoing, auth=auth, stream=True)
                self._measure(response)
        except httpx.ConnectError as error:
            mismatch = find_mismatch(error)
            trust = self._endpoint.trust
            if mismatch is None or trust is None:
                raise translation(error, self._where) from None
            raise await identity_changed(
                mismatch, trust, self._endpoint.host, self._endpoint.port, limits.connect
            ) from None
        try:
            if len(self.cookies) > MAX_COOKIES:
                self.cookies.clear()
                raise ReplyTooLarge(f"{self._where} sets more than {MAX_COOKIES} cookies")
            return await receive(Incoming(response, self._where))
        finally:
            await response.aclose()

    def _measure(self, response: httpx.Response) -> None:
        stream = response.extensions.get("network_stream")
        now = None if stream is None else round_trip.smallest(stream.get_extra_info("socket"))
        self.round_trip = round_trip.smaller(self.round_trip, now)

    def _opened(self) -> httpx.AsyncClient:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._client is None:
            self._client = httpx.AsyncClient(
                verify=self._context,
                trust_env=False,
                follow_redirects=False,
                cookies=self.cookies,
                headers={"accept-encoding": "identity", "user-agent": "clusterway"},
                limits=httpx.Limits(
                    max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE_SECONDS
                ),
            )
        return self._client

    def _rearm(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._close_when_idle)

    def _close_when_idle(self) -> None:
        self._idle = None
        if not self._turn.locked():
            self._closing = asyncio.get_running_loop().create_task(self.close())

    async def close(self) -> None:
        """Close the connection. Never raises; the next exchange opens another one."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        client, self._client = self._client, None
        if client is not None:
            try:
                await client.aclose()
            except (httpx.HTTPError, OSError, RuntimeError):
                return  # it was broken already
