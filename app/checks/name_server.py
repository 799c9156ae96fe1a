"""One name server as a cluster's peers use it, with what it said: the ground of the DNS checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.dns import Answer, DnsView, Lookup
from app.domain.observation import Observation


@dataclass(frozen=True, slots=True)
class Server:
    """One name server as the peers use it, with what it said."""

    address: str
    users: tuple[Observation, ...]
    view: DnsView

    def said(self, name: str, record_type: str) -> Lookup | None:
        """Its answer, or None where it was not asked."""
        return self.view.at(self.address, name, record_type)

    def spoke(self, name: str, *record_types: str) -> bool:
        """Whether it settled all these questions."""
        found = [self.said(name, kind) for kind in record_types]
        return all(lookup is not None and lookup.answer.settled for lookup in found)

    def addresses(self, name: str) -> tuple[str, ...]:
        """The addresses it has for the name, in canonical spelling."""
        found = (self.said(name, kind) for kind in ("A", "AAAA"))
        return tuple(data for lookup in found if lookup is not None for data in lookup.data())

    @property
    def label(self) -> str:
        """`DNS server 192.0.2.53 (of exp1, exp2)`."""
        return f"DNS server {self.address} (of {', '.join(seen.label for seen in self.users)})"

    @property
    def peer_id(self) -> str | None:
        """The peer, where only one uses the server."""
        return self.users[0].peer_id if len(self.users) == 1 else None

    @property
    def silence(self) -> str:
        """Why it did not settle everything, in words; "" where it did.

        NAPTR records are optional and do not count.
        """
        bad = [
            lookup
            for lookup in self.view.lookups
            if lookup.resolver == self.address
            and not lookup.answer.settled
            and lookup.question.type != "NAPTR"
        ]
        if not bad:
            return ""
        if all(lookup.answer is Answer.NOT_ASKED for lookup in bad):
            return "is not asked from here"
        first = next(lookup for lookup in bad if lookup.answer is not Answer.NOT_ASKED)
        words = first.answer.value.replace("-", " ")
        return f"gave {words} to {len(bad)} question(s), such as {first.question.name}"


def servers(peers: Sequence[Observation], view: DnsView | None) -> tuple[Server, ...]:
    """Every name server that was asked, with the peers that use it."""
    if view is None:
        return ()
    by_id = {seen.peer_id: seen for seen in peers}
    return tuple(
        Server(address, tuple(by_id[i] for i in users if i in by_id), view)
        for address, users in view.users().items()
    )
