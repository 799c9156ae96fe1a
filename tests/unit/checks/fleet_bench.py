"""A fleet to break and to mend, with what the service knows besides it, for the table of checks.

A healthy cluster of exp1 and exp2 that has stood for hours, exp3 that is to join it, and exp4 that
has nothing to do with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from app.checks.check import Stated, Subject
from app.checks.report import Report, report
from app.dns.expected import expected, hosts, zone_text
from app.dns.questions import first_round, second_round
from app.domain.dns import Answer, DnsView, Lookup, Question, Record
from app.domain.observation import Observation, View
from simulation.rehearsal import Rehearsal
from transports.command import Command
from transports.mock.faults import Fault, FaultKind

NAME = "cluster1.example.com"
SETTLE = 900.0
"""Appliance seconds: alarms, replication and status words have caught up."""

Do = Callable[["Bench"], Awaitable[None] | None]


@dataclass
class Bench:
    """The fleet, and what the service knows besides it."""

    rehearsal: Rehearsal
    candidates: tuple[str, ...] = ("exp3",)
    zone: str | None = None
    """Zone data; None: what the peers need and nothing wrong."""
    certificates: dict[str, datetime] = field(default_factory=dict)
    lost_since: dict[str, datetime] = field(default_factory=dict)
    stated: dict[str, Stated] = field(default_factory=dict)
    can_ping: bool = True
    can_show_words: bool = True
    pinned: bool = True
    mute: bool = False
    hidden: Mapping[str, Any] = field(default_factory=dict)
    """Facts that no peer tells, and what stands in their place."""

    def device(self, name: str) -> Any:
        return self.rehearsal.fleet[name]

    def put(self, name: str, path: str, value: str) -> None:
        """A value as it would come to be there, the appliance's own checks included."""
        self.device(name).write(path.split(), value)

    def keep(self, name: str, path: str, value: str) -> None:
        """A value that the appliance's pages would not have let in."""
        self.device(name).configuration.put(path, value)

    async def write(self, name: str, path: str, value: str) -> None:
        """What an operator does: over a transport."""
        await self.rehearsal.appliance(name).write((path, value))

    async def report(self) -> Report:
        return report(await self.subject())

    async def subject(self) -> Subject:
        situation = await self.rehearsal.situation()
        views = {i: self._as_told(view) for i, view in situation.views.items()}
        situation = replace(situation, views=views)
        ids = [*(m.id for m in situation.cluster.members), *self.candidates]
        seen = [o for i in ids if (o := situation.observed(i)) is not None]
        round_trips = {}
        for one in seen if self.can_ping else ():
            for other in seen:
                if one is not other:
                    appliance = self.rehearsal.appliance(one.peer_id)
                    took = await appliance.round_trip(other.address)
                    round_trips[one.peer_id, other.peer_id] = took
        needed = zone_text(expected(situation.cluster.name, hosts(seen)))
        zone = needed if self.zone is None else self.zone
        first = answers(first_round(situation.cluster.name, seen), zone)
        second = answers(second_round(first, seen), zone)
        if self.mute:
            first = [replace(lookup, answer=Answer.NO_ANSWER, records=()) for lookup in first]
            second = []
        view = DnsView((*first, *second), {o.peer_id: o.dns.servers for o in seen})
        now = self.rehearsal.clock.now()
        ends = {i: now + timedelta(days=365) for i in ids if self.pinned} | self.certificates
        return Subject(
            replace(situation, dns=view, round_trips=round_trips),
            self.candidates,
            now,
            ends,
            self.lost_since,
            self.stated,
        )

    def _as_told(self, view: View) -> View:
        if not isinstance(view, Observation):
            return view
        shown = replace(view, **self.hidden)
        if self.can_show_words:
            return shown
        peers = tuple(replace(peer, status=None) for peer in view.clustering.peers)
        clustering = replace(view.clustering, peers=peers, database_status=None)
        return replace(shown, clustering=clustering)


def answers(asked: Mapping[str, tuple[Question, ...]], zone: str) -> list[Lookup]:
    """What a server with this zone data says."""
    records = []
    for line in zone.splitlines():
        if line and not line.startswith(";"):
            name, ttl, _, kind, data = line.split(" ", 4)
            records.append((Question.of(name, kind), Record(name, kind, int(ttl), data)))
    found = []
    for server, questions in asked.items():
        for question in questions:
            rows = tuple(record for key, record in records if key == question)
            alias = [r for key, r in records if key == Question.of(question.name, "CNAME")]
            if alias and not rows:
                behind = Question.of(alias[0].data, question.type)
                rows = (*alias, *(record for key, record in records if key == behind))
            found_any = any(record.type == question.type for record in rows)
            answer = Answer.RECORDS if found_any else Answer.NO_SUCH_NAME
            found.append(Lookup(server, question, answer, rows))
    return found


def bench(changes: Mapping[str, Mapping[str, Any]] | None = None) -> Bench:
    """The healthy fleet, with these changes in the descriptions of its Expressways."""
    changes = changes or {}
    expressways = [
        {"name": f"exp{n}", "address": f"192.0.2.{10 + n}", "call_licences": 10}
        | dict(changes.get(f"exp{n}", {}))
        for n in sorted({1, 2, 3, 4} | {int(name.removeprefix("exp")) for name in changes})
    ]
    scenario = {
        "expressways": expressways,
        "clusters": [{"name": NAME, "key": "k", "members": ["exp1", "exp2"]}],
    }
    rehearsal = Rehearsal(scenario)
    members = (rehearsal.peers["exp1"], rehearsal.peers["exp2"])
    rehearsal.cluster = replace(rehearsal.cluster, members=members, primary_id="exp1")
    return Bench(rehearsal)


async def do(what: Do, on: Bench) -> None:
    made = what(on)
    if made is not None:
        await made


# -- ways to break and to mend


def nothing(_: Bench) -> None:
    """The scenario has broken it already."""


def put(name: str, path: str, value: str) -> Do:
    return lambda on: on.put(name, path, value)


def keep(name: str, path: str, value: str) -> Do:
    return lambda on: on.keep(name, path, value)


def write(name: str, path: str, value: str) -> Do:
    return lambda on: on.write(name, path, value)


def another_candidate(on: Bench) -> None:
    """Let another Expressway join instead."""
    on.candidates = ("exp4",)


def set_zone(change: Callable[[str], str]) -> Do:
    async def act(on: Bench) -> None:
        subject = await on.subject()
        needed = expected(subject.situation.cluster.name, hosts(subject.everyone))
        on.zone = change(zone_text(needed))

    return act


def rename(name: str) -> Do:
    return lambda on: on.rehearsal.rename_cluster(name)


def distance(milliseconds: float) -> Do:
    def act(on: Bench) -> None:
        on.rehearsal.fleet.round_trips[frozenset(("exp1", "exp3"))] = milliseconds

    return act


async def add_option_key(on: Bench) -> None:
    await _command(on, "exp2", Command("OptionKeyAdd", {"Key": "116341Y00-1-7777-7777"}))


async def delete_option_key(on: Bench) -> None:
    await _command(on, "exp3", Command("OptionKeyDelete", {"OptionKeyId": "3"}))


async def _command(on: Bench, name: str, command: Command) -> None:
    transport = on.rehearsal.transport(on.rehearsal.endpoint(name))
    await transport.run(command)
    await transport.close()


def restart(name: str) -> Do:
    return lambda on: on.rehearsal.appliance(name).restart()


def skew(on: Bench) -> None:
    on.rehearsal.fleet.faults.add(Fault(FaultKind.CLOCK_SKEW, "exp2", value=90.0))


def no_faults(on: Bench) -> None:
    on.rehearsal.fleet.faults.clear()


def ntp(*, reachable: bool) -> Do:
    return lambda on: on.device("exp3").set_ntp_reachable(reachable)


def clear_peer_list(name: str) -> Do:
    return lambda on: on.rehearsal.appliance(name).write_clustering(addresses=[])


def lose(days: float) -> Do:
    def act(on: Bench) -> None:
        on.device("exp2").lose_power()
        on.lost_since["exp2"] = on.rehearsal.clock.now() - timedelta(days=days)

    return act


def lost_licences(*, wanted: bool) -> Do:
    return lambda on: on.device("exp1").alarms.want(30012, wanted=wanted)


def more_licences(on: Bench) -> None:
    on.device("exp2").call_licences = 100


def hide(**facts: Any) -> Do:
    """No peer tells these facts any more."""

    def act(on: Bench) -> None:
        on.hidden = facts

    return act


def pings(*, able: bool) -> Do:
    def act(on: Bench) -> None:
        on.can_ping = able

    return act


def cut(on: Bench) -> None:
    on.rehearsal.fleet.cut("exp1", "exp3")


def uncut(on: Bench) -> None:
    on.rehearsal.fleet.mend("exp1", "exp3")


def attest(gate: str) -> Do:
    """An operator states what the unknown finding asks for."""

    async def act(on: Bench) -> None:
        found = await on.report()
        (said,) = {f.remedy for c in found.checks for f in c.findings if f.code == gate}
        on.stated[gate] = Stated(said, "Ann", on.rehearsal.clock.now(), "job-1")

    return act


async def mend_and_attest(on: Bench) -> None:
    uncut(on)
    await attest("direct-routing")(on)


def cut_members(on: Bench) -> None:
    on.rehearsal.fleet.cut("exp1", "exp2")


def uncut_members(on: Bench) -> None:
    on.rehearsal.fleet.mend("exp1", "exp2")


def switch_off(name: str) -> Do:
    return lambda on: on.device(name).lose_power()


def switch_on(name: str) -> Do:
    return lambda on: on.device(name).gain_power()


def name_servers(*, answer: bool) -> Do:
    def act(on: Bench) -> None:
        on.mute = not answer

    return act


def words(*, shown: bool) -> Do:
    """The words of System > Clustering, which only the web forms show."""

    def act(on: Bench) -> None:
        on.can_show_words = shown

    return act


def pins(*, there: bool) -> Do:
    def act(on: Bench) -> None:
        on.pinned = there

    return act


def candidates(*names: str) -> Do:
    def act(on: Bench) -> None:
        on.candidates = names

    return act


def certificate(days: float) -> Do:
    def act(on: Bench) -> None:
        on.certificates["exp2"] = on.rehearsal.clock.now() + timedelta(days=days)

    return act


def registered_elsewhere(on: Bench) -> None:
    on.keep("exp3", "Ethernet 1 IP V4 Address", "192.0.2.99")
