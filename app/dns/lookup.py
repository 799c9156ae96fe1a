"""Asks name servers, each by itself, with aiodns; the only part of the package that sends anything.

The servers' addresses come out of the appliances' configuration, so every one passes a guard before
a packet leaves. Each question goes to one server only: the point is to know what that server says,
not to get an answer from somewhere. Time and number are bounded, and nothing raises: what went
wrong is an answer too.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import aiodns
import pycares
from aiodns.error import DNSError

from app.domain.dns import Answer, Lookup, Question, Record, quoted

MOST_RECORDS = 64
"""How many records of one answer are kept."""
SIDE_BY_SIDE = 8
"""Questions under way at one server."""

DOCUMENTATION = tuple(
    ipaddress.ip_network(network)
    for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)
"""Networks of examples (RFC 5737, RFC 3849): no server is there, so none is asked (INT-31)."""

_ANSWERS: Mapping[int, Answer] = {
    pycares.errno.ARES_ENODATA: Answer.NO_RECORDS,
    pycares.errno.ARES_ENOTFOUND: Answer.NO_SUCH_NAME,
    pycares.errno.ARES_ESERVFAIL: Answer.SERVER_FAILURE,
    pycares.errno.ARES_EREFUSED: Answer.REFUSED,
    pycares.errno.ARES_ENOTIMP: Answer.REFUSED,
    pycares.errno.ARES_EFORMERR: Answer.MALFORMED,
    pycares.errno.ARES_EBADRESP: Answer.MALFORMED,
    pycares.errno.ARES_EBADNAME: Answer.MALFORMED,
}
_TYPES = {
    pycares.QUERY_TYPE_A: "A",
    pycares.QUERY_TYPE_AAAA: "AAAA",
    pycares.QUERY_TYPE_CNAME: "CNAME",
    pycares.QUERY_TYPE_SRV: "SRV",
    pycares.QUERY_TYPE_NAPTR: "NAPTR",
    pycares.QUERY_TYPE_PTR: "PTR",
    pycares.QUERY_TYPE_NS: "NS",
}


def _anywhere(address: str) -> bool:
    return not any(ipaddress.ip_address(address) in network for network in DOCUMENTATION)


@dataclass(frozen=True, slots=True)
class NameServers:
    """Look-ups at given servers.

    `instead` maps a server's address as the peers know it to `host:port` where it is to be asked
    from here (rehearsals, or a path around a firewall). `allowed` says whether packets may be sent
    to an address; mapped ones are the operator's word and are not checked. `enabled` off asks
    nobody, so that every name stays unknown. Seconds: `timeout` per try, `limit` for all together.
    """

    enabled: bool = True
    instead: Mapping[str, str] = field(default_factory=dict)
    allowed: Callable[[str], bool] = _anywhere
    timeout: float = 2.0
    tries: int = 2
    limit: float = 20.0

    async def ask(self, asked: Mapping[str, Sequence[Question]]) -> tuple[Lookup, ...]:
        """One lookup for each server and question, in their order; raises only when cancelled."""
        groups = await asyncio.gather(
            *(self._ask_one(server, questions) for server, questions in asked.items())
        )
        return tuple(lookup for group in groups for lookup in group)

    async def _ask_one(self, server: str, questions: Sequence[Question]) -> list[Lookup]:
        place = self._place(server)
        if place is None or not questions:
            detail = "this server is not asked from here"
            return [Lookup(server, q, Answer.NOT_ASKED, detail=detail) for q in questions]
        done: dict[Question, Lookup] = {}
        resolver = aiodns.DNSResolver(
            nameservers=[place],
            timeout=self.timeout,
            tries=self.tries,
            # Answers as they are (no other server is tried), and no search domains put behind.
            flags=pycares.ARES_FLAG_NOCHECKRESP | pycares.ARES_FLAG_NOSEARCH,
        )
        places = asyncio.Semaphore(SIDE_BY_SIDE)

        async def one(question: Question) -> None:
            async with places:
                done[question] = await _look_up(resolver, server, question)

        try:
            async with asyncio.timeout(self.limit):
                # The first one alone: a server that is not there costs one wait, not one each.
                await one(questions[0])
                if done[questions[0]].answer is not Answer.NO_ANSWER:
                    await asyncio.gather(*(one(question) for question in questions[1:]))
        except TimeoutError:
            pass
        finally:
            await resolver.close()
        late = "the server gave no answer in time"
        return [done.get(q) or Lookup(server, q, Answer.NO_ANSWER, detail=late) for q in questions]

    def _place(self, server: str) -> str | None:
        """`host:port` to send to, or None where nothing is sent."""
        if not self.enabled:
            return None
        if server in self.instead:
            return self.instead[server] or None
        try:
            address = ipaddress.ip_address(server)
        except ValueError:
            return None
        if not self.allowed(str(address)) or not _anywhere(str(address)):
            return None
        return f"[{address}]:53" if address.version == 6 else f"{address}:53"


async def _look_up(resolver: aiodns.DNSResolver, server: str, question: Question) -> Lookup:
    try:
        result = await resolver.query_dns(question.name, question.type)
    except DNSError as error:
        code = error.args[0] if error.args else None
        answer = _ANSWERS.get(code, Answer.NO_ANSWER) if isinstance(code, int) else Answer.NO_ANSWER
        return Lookup(server, question, answer, detail=str(error.args[-1]) if error.args else "")
    except ValueError as error:
        # A label of more than 63 characters, or one that is no host name at all.
        return Lookup(server, question, Answer.MALFORMED, detail=str(error))
    records = _records(result.answer)
    found = any(record.type == question.type for record in records)
    return Lookup(
        server,
        question,
        Answer.RECORDS if found else Answer.NO_RECORDS,
        records,
        authority=_records(result.authority),
        additional=_records(result.additional),
    )


def _records(rows: Sequence[pycares.DNSRecord]) -> tuple[Record, ...]:
    return tuple(record for row in rows[:MOST_RECORDS] if (record := _record(row)) is not None)


def _record(row: pycares.DNSRecord) -> Record | None:
    kind = _TYPES.get(row.type)
    data = row.data
    match data:
        case pycares.ARecordData() | pycares.AAAARecordData():
            text = str(ipaddress.ip_address(data.addr))
        case pycares.CNAMERecordData():
            text = _dotted(data.cname)
        case pycares.NSRecordData():
            text = _dotted(data.nsdname)
        case pycares.PTRRecordData():
            text = _dotted(data.dname)
        case pycares.SRVRecordData():
            text = f"{data.priority} {data.weight} {data.port} {_dotted(data.target)}"
        case pycares.NAPTRRecordData():
            strings = " ".join(quoted(_clean(s)) for s in (data.flags, data.service, data.regexp))
            text = f"{data.order} {data.preference} {strings} {_dotted(data.replacement)}"
        case _:
            return None
    return None if kind is None else Record(_dotted(row.name), kind, row.ttl, text)


def _dotted(name: str) -> str:
    """The name with its last dot; what is no printable ASCII is shown as `?`."""
    return "".join(c if "!" <= c <= "~" else "?" for c in name).removesuffix(".") + "."


def _clean(text: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in text)
