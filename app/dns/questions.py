"""What has to be asked of the peers' name servers for one cluster; pure.

Two rounds: what is known beforehand, and then the addresses of whatever the SRV answers name.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence

from app.dns.expected import SERVICES, hosts
from app.domain.dns import Lookup, Question, Srv, folded, reverse_name
from app.domain.observation import Observation

MOST_TARGETS = 32
"""How many different SRV targets are looked up; an answer may be hostile."""


def first_round(
    domain: str, peers: Sequence[Observation], extra: Iterable[str] = ()
) -> dict[str, tuple[Question, ...]]:
    """Name server -> questions. `extra` are further names that must have an address (PRE-25)."""
    shared = [*_of_cluster(domain), *_of_peers(peers)]
    for name in extra:
        shared += _addresses(name)
    asked: dict[str, dict[Question, None]] = {}
    for seen in peers:
        for server in seen.dns.servers:
            questions = asked.setdefault(server, dict.fromkeys(shared))
            questions.update(dict.fromkeys(_of_other_names(seen)))
    return {server: tuple(questions) for server, questions in asked.items()}


def second_round(
    lookups: Sequence[Lookup], peers: Sequence[Observation]
) -> dict[str, tuple[Question, ...]]:
    """Name server -> the addresses of its SRV targets, and the reverse of the LDAP servers'."""
    ldap = ldap_names(peers)
    known = {(lookup.resolver, lookup.question) for lookup in lookups}
    asked: dict[str, dict[Question, None]] = {}
    for lookup in lookups:
        questions = asked.setdefault(lookup.resolver, {})
        for question in _following(lookup, ldap):
            new = (lookup.resolver, question) not in known
            if new and len(questions) < 2 * MOST_TARGETS:
                questions[question] = None
    return {server: tuple(questions) for server, questions in asked.items() if questions}


def ldap_names(peers: Iterable[Observation]) -> frozenset[str]:
    """The names of the LDAP servers in use, which need both directions (PRE-29)."""
    return frozenset(
        qualified(seen.ldap_server, seen.dns.domain)
        for seen in peers
        if seen.ldap_login and seen.ldap_server and not is_address(seen.ldap_server)
    )


def _following(lookup: Lookup, ldap: frozenset[str]) -> Iterator[Question]:
    if lookup.question.type == "SRV":
        for target in targets(lookup):
            yield from _addresses(target.target)
    elif lookup.question.type in {"A", "AAAA"} and lookup.question.name in ldap:
        for address in lookup.data():
            yield Question.of(reverse_name(address), "PTR")


def targets(lookup: Lookup) -> tuple[Srv, ...]:
    """The SRV records of an answer; a target that is the root means "no such service" and is none.

    What cannot be read is left out: the answer is somebody else's text.
    """
    found = []
    for data in lookup.data():
        try:
            entry = Srv.of(data)
        except ValueError:
            continue
        if entry.target:
            found.append(entry)
    return tuple(found)


def names_used(seen: Observation) -> Mapping[str, str]:
    """The DNS names in a peer's configuration that it has to resolve -> what they are for."""
    used: dict[str, str] = {}
    for server in seen.ntp.servers:
        used.setdefault(server, "NTP server")
    if seen.external_manager:
        used.setdefault(seen.external_manager, "external manager")
    if seen.ldap_login and seen.ldap_server:
        used.setdefault(seen.ldap_server, "LDAP server")
    for zone in seen.zones:
        for address in zone.addresses:
            used.setdefault(address, f"zone {zone.name}")
    return {
        qualified(name, seen.dns.domain): purpose
        for name, purpose in used.items()
        if name and not is_address(name)
    }


def qualified(name: str, domain: str) -> str:
    """An unqualified name with the peer's domain put behind it (NEW-M-11)."""
    name = folded(name)
    return f"{name}.{folded(domain)}" if "." not in name and domain else name


def is_address(text: str) -> bool:
    """Whether the text is an IP address and needs no look-up."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _of_cluster(domain: str) -> Iterator[Question]:
    for service in SERVICES:
        yield Question.of(service.name(domain), "SRV")
    yield from _addresses(domain)
    yield Question.of(domain, "NAPTR")


def _of_peers(peers: Sequence[Observation]) -> Iterator[Question]:
    for host in hosts(peers):
        if host.fqdn:
            yield from _addresses(host.fqdn)
        for address in host.addresses:
            yield Question.of(reverse_name(address), "PTR")


def _of_other_names(seen: Observation) -> Iterator[Question]:
    for name in names_used(seen):
        yield from _addresses(name)
    if seen.ldap_login and is_address(seen.ldap_server):
        yield Question.of(reverse_name(seen.ldap_server), "PTR")


def _addresses(name: str) -> tuple[Question, Question]:
    return Question.of(name, "A"), Question.of(name, "AAAA")
