"""A real name server on loopback that is not ours (dnslib), with zone data as text.

Names below `servfail.`, `silent.` and `cut.` of any zone misbehave: a server failure, no answer at
all, and an answer over UDP that is cut short so that only TCP has the whole of it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from dnslib import QTYPE, RCODE, DNSError, DNSHeader, DNSRecord
from dnslib.server import DNSServer
from dnslib.zoneresolver import ZoneResolver

from tests.support.ports import free_port


class SilentLogger:
    """dnslib writes every query to standard output otherwise."""

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


@dataclass
class Zone(ZoneResolver):
    """What the zone text says, and the names that misbehave."""

    text: str
    asked: list[tuple[str, str]] = field(default_factory=list)
    refuse: bool = False

    def __post_init__(self):
        super().__init__(self.text)

    def resolve(self, request, handler):
        name = str(request.q.qname).rstrip(".").casefold()
        self.asked.append((name, QTYPE[request.q.qtype]))
        labels = name.split(".")
        reply = request.reply()
        if self.refuse:
            reply.header.rcode = RCODE.REFUSED
            return reply
        if "servfail" in labels:
            reply.header.rcode = RCODE.SERVFAIL
            return reply
        if "silent" in labels:
            raise DNSError("no answer")  # dnslib then sends nothing
        reply = super().resolve(request, handler)
        # As a recursive server does: the addresses behind an alias stand in the answer itself.
        reply.rr += [extra for extra in reply.ar if extra.rtype == request.q.qtype]
        if reply.rr:
            self._add_authority(request.q.qname, reply)
        if not reply.rr and not self._knows(request.q.qname):
            reply.header.rcode = RCODE.NXDOMAIN
        elif not reply.rr:
            reply.header.rcode = RCODE.NOERROR
        if "cut" in labels and handler.protocol == "udp":
            return DNSRecord(DNSHeader(id=reply.header.id, qr=1, ra=1, tc=1), q=request.q)
        return reply

    def _add_authority(self, qname, reply) -> None:
        """The name servers of the zone that the name is in, and their addresses."""
        for name, kind, record in self.zone:
            if kind == "NS" and qname.matchSuffix(name):
                reply.add_auth(record)
                for other, other_kind, address in self.zone:
                    if other == record.rdata.label and other_kind in {"A", "AAAA"}:
                        reply.add_ar(address)

    def _knows(self, qname) -> bool:
        return any(name == qname or name.matchSuffix(qname) for name, _, _ in self.zone)


@dataclass
class NameServer:
    """A server under way; `place` is `127.0.0.1:port`."""

    zone: Zone
    place: str


@contextmanager
def name_server(text: str, *, tcp: bool = True, refuse: bool = False) -> Iterator[NameServer]:
    """A server for the zone text on a free port of loopback, over UDP and, usually, TCP."""
    zone = Zone(text, refuse=refuse)
    port = free_port()
    udp = DNSServer(zone, address="127.0.0.1", port=port, logger=SilentLogger())
    udp.server.handle_error = lambda *_: None
    servers = [udp]
    if tcp:
        over_tcp = DNSServer(zone, address="127.0.0.1", port=port, tcp=True, logger=SilentLogger())
        over_tcp.server.handle_error = lambda *_: None
        servers.append(over_tcp)
    threads = [
        threading.Thread(target=server.server.serve_forever, args=(0.01,), daemon=True)
        for server in servers
    ]
    for thread in threads:
        thread.start()
    try:
        yield NameServer(zone, f"127.0.0.1:{port}")
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.server.shutdown()
            thread.join()
            server.server.server_close()
