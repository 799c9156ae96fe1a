"""Where webhooks may go: which URLs are accepted, and which addresses behind their names.

A name is checked when it is registered and every one of its addresses each time something is sent;
the connection then goes to an address that was checked, never to the name. So a name that answers
with another address afterwards (DNS rebinding) leads nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from app.security.addresses import AddressGuard, AddressRefused

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Name and port -> addresses. Raises OSError where there are none."""

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_VISIBLE = re.compile(r"[\x21-\x7e]{1,2000}")


class ReceiverRefused(ValueError):
    """Nothing may be sent there; the message says why."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A URL taken apart. `host` without brackets, in lower case; `path` with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def literal(self) -> bool:
        """Whether the host is an address."""
        try:
            ip_address(self.host)
        except ValueError:
            return False
        return True

    @property
    def authority(self) -> str:
        """What stands in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": 443, "http": 80}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"

    def at(self, address: str) -> str:
        """The same URL with the address in place of the name."""
        host = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class ReceiverGuard:
    """Says where webhooks may go. `hosts`: the only ones; `*.example.com`: all below it."""

    guard: AddressGuard
    hosts: Sequence[str] = ()

    def check(self, url: str) -> Receiver:
        """The URL taken apart. Raises ReceiverRefused; the message does not repeat the URL."""
        if not _VISIBLE.fullmatch(url):
            raise ReceiverRefused("is not 1 to 2000 visible ASCII characters")
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            raise ReceiverRefused("is not a URL") from None
        if parts.scheme not in {"https", "http"} or not host:
            raise ReceiverRefused("is not an https URL")
        if parts.scheme == "http" and not (self.guard.allow_loopback and _is_local(host)):
            raise ReceiverRefused("does not begin with https://")
        if parts.username is not None or parts.password is not None:
            raise ReceiverRefused("holds a user name or password; use `auth`")
        if "#" in url or "\\" in url:
            raise ReceiverRefused("holds a fragment or a backslash")
        if port == 0:
            raise ReceiverRefused("names port 0")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        usual = 443 if parts.scheme == "https" else 80
        receiver = Receiver(parts.scheme, host, port or usual, path)
        if receiver.literal:
            self.address(receiver, host)
        elif not _NAME.fullmatch(host) or len(host) > 253:
            raise ReceiverRefused("does not name a host; write other scripts as xn--...")
        if self.hosts and not any(_same(host, allowed) for allowed in self.hosts):
            raise ReceiverRefused("names none of the hosts of CLUSTERWAY_WEBHOOK_HOSTS")
        return receiver

    def address(self, receiver: Receiver, address: str) -> str:
        """An address of the receiver, if it may be connected to. Raises ReceiverRefused."""
        try:
            checked = self.guard.check(address)
        except AddressRefused as refused:
            raise ReceiverRefused(f"leads to an address that {refused}") from refused
        if receiver.scheme == "http" and not ip_address(checked).is_loopback:
            raise ReceiverRefused("is http, which is for loopback only")
        return checked

    async def addresses(self, receiver: Receiver, resolve: Resolve) -> list[str]:
        """All addresses of the receiver, each checked: one that is refused refuses all.

        Raises ReceiverRefused; OSError where the name has no address.
        """
        if receiver.literal:
            return [self.address(receiver, receiver.host)]
        found = await resolve(receiver.host, receiver.port)
        return list(dict.fromkeys(self.address(receiver, address) for address in found))


def _is_local(host: str) -> bool:
    """Whether a host looks like this machine; its addresses are checked all the same."""
    return host in {"localhost", "127.0.0.1", "::1"}


def _same(host: str, allowed: str) -> bool:
    allowed = allowed.lower()
    if allowed.startswith("*."):
        return host.endswith(allowed[1:])
    return host.rstrip(".") == allowed.rstrip(".")
