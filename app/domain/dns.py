"""What name servers answered, in the words of a zone file. Values only; nothing is looked up here.

A record's data is kept as a zone file writes it (`1 1 5061 expe1.example.com.`), so that what was
found, what is expected and what an administrator pastes are one kind of text.
"""

from __future__ import annotations

import enum
import ipaddress
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field


class Answer(enum.StrEnum):
    """How a question to one name server ended."""

    RECORDS = "records"
    NO_RECORDS = "no-records"
    """The name exists and has no record of this type."""
    NO_SUCH_NAME = "no-such-name"
    """NXDOMAIN."""
    SERVER_FAILURE = "server-failure"
    REFUSED = "refused"
    NO_ANSWER = "no-answer"
    """Nothing came in time, or no connection."""
    MALFORMED = "malformed"
    NOT_ASKED = "not-asked"
    """Look-ups are off, or the server's address is one the service does not send to."""

    @property
    def settled(self) -> bool:
        """Whether the server spoke about the name; anything else says nothing about the zone."""
        return self in {Answer.RECORDS, Answer.NO_RECORDS, Answer.NO_SUCH_NAME}


@dataclass(frozen=True, slots=True)
class Question:
    """A name without the last dot, in small letters, and a record type such as `SRV`."""

    name: str
    type: str

    @classmethod
    def of(cls, name: str, record_type: str) -> Question:
        """The question in its one spelling."""
        return cls(folded(name), record_type)


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record; `ttl` in seconds, `data` as a zone file has it."""

    name: str
    type: str
    ttl: int
    data: str

    def __str__(self) -> str:
        return f"{self.name} {self.ttl} IN {self.type} {self.data}"


@dataclass(frozen=True, slots=True)
class Lookup:
    """What one name server said to one question."""

    resolver: str
    question: Question
    answer: Answer
    records: tuple[Record, ...] = ()
    detail: str = ""
    authority: tuple[Record, ...] = ()
    """The zone's name servers, where the answer names them (SRV-38, NAP-34, NAP-41)."""
    additional: tuple[Record, ...] = ()
    """Addresses that came along (SRV-39). Nothing is concluded from them: each is asked for."""

    @property
    def command(self) -> str:
        """The same question for a terminal (SRV-35, NAP-31, NAP-37)."""
        asked = shlex.join([f"@{self.resolver}", self.question.name, self.question.type])
        return f"dig {asked}"

    def data(self) -> tuple[str, ...]:
        """The data of the records of the type that was asked for."""
        return tuple(r.data for r in self.records if r.type == self.question.type)


@dataclass(frozen=True, slots=True)
class Srv:
    """An SRV record's fields (SRV-17)."""

    priority: int
    weight: int
    port: int
    target: str

    @classmethod
    def of(cls, data: str) -> Srv:
        """Read `1 1 5061 expe1.example.com.`. Raises ValueError on anything else."""
        priority, weight, port, target = data.split()
        return cls(int(priority), int(weight), int(port), folded(target))


@dataclass(frozen=True, slots=True)
class Naptr:
    """A NAPTR record's fields (NAP-18 to NAP-30). `replacement` is "" where the record has `.`."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str

    @classmethod
    def of(cls, data: str) -> Naptr:
        """Read `10 100 "s" "SIPS+D2T" "" _sips._tcp.example.com.`. Raises ValueError."""
        order, preference, flags, service, regexp, replacement = shlex.split(data)
        return cls(int(order), int(preference), flags, service, regexp, folded(replacement))

    @property
    def leads_to(self) -> str:
        """The record type or the URI that the flag announces (NAP-22 to NAP-24, NAP-36)."""
        kinds = {"s": "SRV", "se": "SRV", "a": "A or AAAA", "u": "URI"}
        return kinds.get(self.flags.casefold(), "")


def quoted(text: str) -> str:
    """A character string as a zone file has it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@dataclass(frozen=True, slots=True)
class DnsView:
    """The look-ups made for the peers of a cluster.

    `resolvers` are the name servers each peer uses itself: DNS settings belong to each peer alone
    (PRE-31), so two peers may see two different zones.
    """

    lookups: tuple[Lookup, ...]
    resolvers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def at(self, resolver: str, name: str, record_type: str) -> Lookup | None:
        """What that server said; None where it was not asked."""
        question = Question.of(name, record_type)
        for lookup in self.lookups:
            if lookup.resolver == resolver and lookup.question == question:
                return lookup
        return None

    def users(self) -> dict[str, tuple[str, ...]]:
        """Each name server with the ids of the peers that use it."""
        found: dict[str, list[str]] = {}
        for peer_id, servers in self.resolvers.items():
            for server in servers:
                found.setdefault(server, []).append(peer_id)
        return {server: tuple(peers) for server, peers in found.items()}


def folded(name: str) -> str:
    """A domain name in small letters without the last dot; "" for the root."""
    return name.strip().removesuffix(".").casefold()


def reverse_name(address: str) -> str:
    """The name under which a PTR record of the address stands. Raises ValueError."""
    return ipaddress.ip_address(address).reverse_pointer
