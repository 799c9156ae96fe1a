"""A zone held in memory: one name server for all peers, whose records a test writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.dns.expected import SERVICES
from app.domain.dns import Answer, Lookup, Question, Record, reverse_name
from tests.support.rehearsal import CLUSTER

SIPS = f"_sips._tcp.{CLUSTER}"


@dataclass
class Zone:
    """Implements NameLookups. `answer`: what it says where it has no record."""

    records: dict[Question, list[str]] = field(default_factory=dict)
    answer: Answer = Answer.NO_SUCH_NAME
    asked: int = 0

    def srv(self, *hosts: str) -> None:
        """Put SIPS records for these hosts in place of those there were."""
        self.records[Question(SIPS, "SRV")] = [f"1 1 5061 {host}." for host in hosts]

    def lead_to(self, *names: str) -> None:
        """All SRV records name exactly these Expressways."""
        for service in SERVICES:
            self.records[Question.of(service.name(CLUSTER), "SRV")] = [
                f"1 1 {service.port} {name}.example.com." for name in names
            ]

    def know(self, name: str, address: str) -> None:
        """Forward and reverse look-ups of one Expressway."""
        self.records[Question(f"{name}.example.com", "A")] = [address]
        self.records[Question.of(reverse_name(address), "PTR")] = [f"{name}.example.com."]

    async def ask(self, asked: Mapping[str, Sequence[Question]]) -> tuple[Lookup, ...]:
        """See NameLookups."""
        self.asked += 1
        return tuple(
            self._one(server, question) for server, some in asked.items() for question in some
        )

    def _one(self, server: str, question: Question) -> Lookup:
        found = self.records.get(question, [])
        records = tuple(Record(question.name, question.type, 60, data) for data in found)
        return Lookup(server, question, Answer.RECORDS if found else self.answer, records)
