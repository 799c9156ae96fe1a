"""A simulated appliance's web server on a real socket, so that the HTTPS transport meets one.

It behaves like the small Apache of these appliances where that is on record (facts 5): its own
self-signed certificate, a 15 s keep-alive, a limit on clients beyond which it answers 503, and a
client address that is refused after too many wrong passwords. When the appliance goes down,
every connection is cut and the port refuses; when its web interface is back, so is the port.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from transports.mock.expressway import Expressway
from transports.mock.faults import NOISE, FaultKind
from transports.mock.forms import pages
from transports.mock.forms.certificate import self_signed
from transports.mock.forms.site import Banned, Planned, Site
from transports.mock.forms.wire import (
    MAX_HEAD,
    BadRequest,
    HttpRequest,
    HttpResponse,
    read_request,
)

MAX_CLIENTS = 70
KEEP_ALIVE = 15.0
_GRACE = 0.001


async def serve_https(
    expressway: Expressway,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    max_clients: int = MAX_CLIENTS,
    keep_alive: float = KEEP_ALIVE,
    paths: Mapping[str, str] | None = None,
) -> HttpsServer:
    """Serve the appliance's XML API and pages; `port` 0 takes a free one.

    `keep_alive` is in real seconds; `paths` moves pages (names: `transports.mock.forms.pages`).
    """
    server = HttpsServer(
        expressway,
        host,
        port,
        max_clients=max_clients,
        keep_alive=keep_alive,
        paths={**pages.PATHS, **(paths or {})},
    )
    await server.follow()
    return server


class HttpsServer:
    """One appliance's web server. It keeps its port for as long as it is not closed."""

    def __init__(
        self,
        expressway: Expressway,
        host: str,
        port: int,
        *,
        max_clients: int,
        keep_alive: float,
        paths: Mapping[str, str],
    ) -> None:
        self._device = expressway
        self._host = host
        self._max_clients = max_clients
        self._keep_alive = keep_alive
        self._site = Site(expressway, paths)
        identity = self_signed(f"{expressway.name}.example.com", (host,))
        self.certificate_pem = identity.certificate_pem
        self._context: ssl.SSLContext = identity.server_context()
        # Bound but not listening, it keeps the port ours while the appliance is away.
        self._reserved = _bound(host, port)
        self.port: int = self._reserved.getsockname()[1]
        self._listening: tuple[socket.socket, asyncio.Task[None]] | None = None
        self._clients: dict[asyncio.Task[Any], asyncio.StreamWriter | None] = {}
        self._following: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._closed = False
        expressway.fleet.on_change(self._noticed)

    @property
    def clients(self) -> int:
        """How many connections are open now."""
        return len(self._clients)

    def expire_sessions(self) -> None:
        """End all page sessions, as idleness does."""
        self._site.expire_sessions()

    async def follow(self) -> None:
        """Listen whenever the appliance's web interface is up, from now on."""
        await self._adjust()
        self._following = asyncio.get_running_loop().create_task(self._follow())

    async def close(self) -> None:
        """Stop serving and give up the port. May be called twice."""
        self._closed = True
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None
        await self._stop_listening()
        self._reserved.close()

    def _noticed(self, expressway: Expressway, _what: str) -> None:
        if expressway is self._device and not self._closed:
            if self._wanted() is False and self._listening is not None:
                self._cut_clients()
            self._changed.set()

    def _wanted(self) -> bool:
        return self._device.web_up and self._device.fleet.serves(self._device)

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._adjust()

    async def _adjust(self) -> None:
        if self._wanted():
            if self._listening is None:
                listener = _bound(self._host, self.port)
                listener.listen(self._max_clients)
                accepting = asyncio.get_running_loop().create_task(self._accept(listener))
                self._listening = (listener, accepting)
            return
        await self._stop_listening()
        if self._device.up:
            missing = self._device.profile.web_after_boot - self._device.uptime
            self._device.clock.call_later(max(missing, 0.0) + _GRACE, self._changed.set)

    async def _stop_listening(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            listener, accepting = listening
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)
            listener.close()
        tasks = list(self._clients)
        self._cut_clients()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    def _cut_clients(self) -> None:
        current = asyncio.current_task()
        for task, writer in list(self._clients.items()):
            if writer is not None:
                writer.transport.abort()
            if task is not current:
                task.cancel()

    async def _accept(self, listener: socket.socket) -> None:
        """Take connections; a banned address is turned away before a byte of TLS."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listener)
            except ConnectionError:
                continue  # the client had gone again
            client = str(address[0])
            if self._device.protection.banned(client):
                connection.close()
                continue
            task = loop.create_task(self._serve(connection, client))
            self._clients[task] = None
            task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        del self._clients[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error  # to the loop's exception handler: a defect of this server

    async def _serve(self, connection: socket.socket, client: str) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=MAX_HEAD)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=self._context, ssl_handshake_timeout=10.0
            )
        except (OSError, EOFError):  # no handshake; ssl.SSLError is an OSError
            connection.close()
            return
        except asyncio.CancelledError:
            connection.close()
            raise
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        task = asyncio.current_task()
        if task in self._clients:
            self._clients[task] = writer
        try:
            await self._converse(reader, writer, client)
        finally:
            transport.abort()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: str
    ) -> None:
        try:
            keep = True
            while keep and not self._device.protection.banned(client):
                request = await read_request(reader, self._keep_alive)
                if request is None:
                    return
                keep = await self._answer(request, writer, client)
            await _finish(writer)
        except BadRequest:
            answer = HttpResponse(400, pages.http_error(400, "Bad Request").encode())
            writer.write(answer.encoded(keep=False, keep_alive=0))
            await _finish(writer)
        except (TimeoutError, ConnectionError, ssl.SSLError, Banned):
            return

    async def _answer(
        self, request: HttpRequest, writer: asyncio.StreamWriter, client: str
    ) -> bool:
        """Answer one request; False where the connection ends with it."""
        if len(self._clients) > self._max_clients:
            busy = HttpResponse(503, pages.http_error(503, "Service Unavailable").encode())
            writer.write(busy.encoded(keep=False, keep_alive=0))
            return False
        device = self._device
        planned = self._site.plan(request, client)
        cut_at: int | None = None
        if isinstance(planned, Planned):
            response, cut_at = await self._with_faults(planned)
        else:
            response = planned
        await device.clock.sleep(device.profile.reply)
        keep = request.keeps_connection and cut_at is None
        raw = response.encoded(keep=keep, keep_alive=self._keep_alive)
        if response.content_type.startswith("text/"):
            device.sent(response.body.decode("utf-8", "replace"))
        writer.write(raw if cut_at is None else raw[:cut_at])
        await writer.drain()
        return keep

    async def _with_faults(self, planned: Planned) -> tuple[HttpResponse, int | None]:
        """The response, and after how many bytes of it the connection dies, if it does."""
        device, occasion = self._device, planned.occasion
        strike = device.fleet.faults.strike
        if strike(FaultKind.DROP_BEFORE, device.name, occasion):
            raise ConnectionResetError
        if fault := strike(FaultKind.DELAY, device.name, occasion):
            await device.clock.sleep(fault.value)
        if strike(FaultKind.WRONG_ANSWER, device.name, occasion):
            words = device.profile.unknown_command
            return self._site.wrong_answer(planned, words), None
        response = await self._site.carry_out(planned)
        if strike(FaultKind.DROP_AFTER, device.name, occasion):
            raise ConnectionResetError
        if strike(FaultKind.GARBAGE, device.name, occasion):
            response = replace(response, body=NOISE.encode())
        fault = strike(FaultKind.DROP_AT_BYTE, device.name, occasion)
        return response, int(fault.value) if fault else None


def _bound(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setblocking(False)  # the standard library's own signature
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


async def _finish(writer: asyncio.StreamWriter) -> None:
    """Let the last answer get out before the connection ends."""
    try:
        await writer.drain()
        writer.close()
        async with asyncio.timeout(1.0):
            await writer.wait_closed()
    except (TimeoutError, ConnectionError, ssl.SSLError):
        return
