"""Who is really calling, where a proxy stands in between; and what every answer carries.

`X-Forwarded-For` and `Forwarded` are a caller's own words unless a proxy that we trust wrote them:
they are read only from the networks in CLUSTERWAY_TRUSTED_PROXIES, from the right, up to the first
address that is none of ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.answers import problem_response
from app.security.keys import Network, within
from app.services.problems import Problem

MOST_HEADERS = 100
_FOR = re.compile(r'(?i)\bfor="?\[?([0-9a-f.:]+)')
_PROTO = re.compile(r'(?i)\bproto="?(https?)\b')

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""On every answer; a page brings a Content-Security-Policy of its own."""
STAY_WITH_TLS = "max-age=31536000"


class Doorway:
    """Finds the caller's address, refuses strange hosts and too many headers, and hardens answers.

    `hosts` empty: any Host is answered. Stands inside `RequestIds`, so that its refusals are named.
    """

    def __init__(
        self, app: ASGIApp, proxies: Sequence[Network], hosts: Sequence[str], *, tls: bool
    ) -> None:
        self.app = app
        self.proxies = tuple(proxies)
        self.hosts = frozenset(host.lower() for host in hosts)
        self.tls = tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        secure = self.tls or self._forwarded(scope, headers) == "https"

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    told.setdefault(name, value)
                if secure:
                    told.setdefault("Strict-Transport-Security", STAY_WITH_TLS)
            await send(message)

        problem = self._refused(scope, headers)
        if problem is not None:
            response = problem_response(problem, scope["state"]["request_id"])
            await response(scope, receive, hardened)
            return
        await self.app(scope, receive, hardened)

    def _refused(self, scope: Scope, headers: Headers) -> Problem | None:
        if len(scope["headers"]) > MOST_HEADERS:
            return Problem(
                "headers-too-large", f"a request may have at most {MOST_HEADERS} header fields"
            )
        host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
        if self.hosts and host.lower() not in self.hosts:
            return Problem("unknown-host", "this service does not answer for that host")
        return None

    def _forwarded(self, scope: Scope, headers: Headers) -> str:
        """Put the caller's address where the peer's was; the scheme they used, as far as known."""
        client = scope.get("client")
        if not client or not within(client[0], self.proxies):
            return str(scope.get("scheme", "http"))
        words = ",".join(headers.getlist("x-forwarded-for"))
        others = ",".join(headers.getlist("forwarded"))
        hops = words.split(",") if words else _FOR.findall(others)
        for hop in reversed(hops):
            address = _address(hop)
            if address is None:
                break
            scope["client"] = (address, 0)
            if not within(address, self.proxies):
                break
        scheme = headers.get("x-forwarded-proto", "").strip().lower()
        if scheme not in {"http", "https"}:
            found = _PROTO.search(others)
            scheme = found.group(1).lower() if found else str(scope.get("scheme", "http"))
        scope["scheme"] = scheme
        return scheme


def _address(text: str) -> str | None:
    """An address without its port; None where it is none, which ends what is believed."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None
