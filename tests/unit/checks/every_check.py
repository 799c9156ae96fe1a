"""For every check a fleet that passes it, one that fails it, and the remedy that makes it pass.

The fleet is a healthy cluster of exp1 and exp2 that has stood for hours, exp3 that is to join it,
and exp4 that has nothing to do with it. One thing is broken, the report is made, the remedy that
the finding names is applied as an operator would, and the report is made again. `make findings`
prints the table.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from app.checks.catalogue import CHECKS
from app.checks.check import Subject
from app.checks.report import Checked, Outcome, Report, report, worst
from app.dns.expected import expected, hosts, zone_text
from app.dns.questions import first_round, second_round
from app.domain.dns import Answer, DnsView, Lookup, Question, Record
from simulation.rehearsal import Rehearsal
from transports.command import Command
from transports.mock.faults import Fault, FaultKind
from transports.mock.virtual_time import run

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
        ids = [*(m.id for m in situation.cluster.members), *self.candidates]
        seen = [o for i in ids if (o := situation.observed(i)) is not None]
        round_trips = {}
        for one in seen:
            for other in seen:
                if one is not other:
                    appliance = self.rehearsal.appliance(one.peer_id)
                    took = await appliance.round_trip(other.address)
                    round_trips[one.peer_id, other.peer_id] = took
        needed = zone_text(expected(situation.cluster.name, hosts(seen)))
        zone = needed if self.zone is None else self.zone
        first = answers(first_round(situation.cluster.name, seen), zone)
        second = answers(second_round(first, seen), zone)
        view = DnsView((*first, *second), {o.peer_id: o.dns.servers for o in seen})
        now = self.rehearsal.clock.now()
        ends = {i: now + timedelta(days=365) for i in ids} | self.certificates
        return Subject(
            replace(situation, dns=view, round_trips=round_trips),
            self.candidates,
            now,
            ends,
            self.lost_since,
        )


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
            answer = Answer.RECORDS if rows else Answer.NO_SUCH_NAME
            found.append(Lookup(server, question, answer, rows))
    return found


@dataclass(frozen=True)
class Case:
    """One check, one way to fail it, and the remedy. `good` where nothing is wrong."""

    key: str
    broken: str
    break_it: Do
    remedy: str
    mend_it: Do
    bad: Outcome
    code: str
    good: Outcome = Outcome.PASS
    scenario: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    wait: float = SETTLE


def bench(case: Case | None = None) -> Bench:
    """The healthy fleet, with what the case changes in the description of an Expressway."""
    changes = case.scenario if case else {}
    expressways = [
        {"name": f"exp{n}", "address": f"192.0.2.{10 + n}", "call_licences": 10}
        | dict(changes.get(f"exp{n}", {}))
        for n in (1, 2, 3, 4)
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


def outcome(of: Report, key: str) -> tuple[Outcome, list[Checked]]:
    """The worst outcome of a check over all peers, and its entries."""
    entries = [checked for checked in of.checks if checked.key == key]
    return worst(entry.outcome for entry in entries), entries


@dataclass(frozen=True)
class Seen:
    """What happened to one case."""

    case: Case
    before: Outcome
    broken: Outcome
    codes: tuple[str, ...]
    after: Outcome

    @property
    def as_promised(self) -> bool:
        return (
            self.before is self.case.good
            and self.broken is self.case.bad
            and self.case.code in self.codes
            and self.after is self.case.good
        )


async def story(case: Case) -> Seen:
    """Break, report, mend, report. The state before is a fleet without the case's change."""
    before, _ = outcome(await bench().report(), case.key)
    on = bench(case)
    await asyncio.sleep(1)
    await do(case.break_it, on)
    await asyncio.sleep(case.wait)
    broken, entries = outcome(await on.report(), case.key)
    codes = tuple(f.code for entry in entries for f in entry.findings)
    await do(case.mend_it, on)
    await asyncio.sleep(SETTLE)
    after, _ = outcome(await on.report(), case.key)
    return Seen(case, before, broken, codes, after)


def play(case: Case) -> Seen:
    return run(story(case))


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


def power_off(on: Bench) -> None:
    on.device("exp2").lose_power()


def power_on(on: Bench) -> None:
    on.device("exp2").gain_power()


def lost_licences(*, wanted: bool) -> Do:
    return lambda on: on.device("exp1").alarms.want(30012, wanted=wanted)


def more_licences(on: Bench) -> None:
    on.device("exp2").call_licences = 100


def certificate(days: float) -> Do:
    def act(on: Bench) -> None:
        on.certificates["exp2"] = on.rehearsal.clock.now() + timedelta(days=days)

    return act


def registered_elsewhere(on: Bench) -> None:
    on.keep("exp3", "Ethernet 1 IP V4 Address", "192.0.2.99")


BLOCKER, WARNING, UNKNOWN = Outcome.BLOCKER, Outcome.WARNING, Outcome.UNKNOWN
SIP_2 = "_sip._tcp.cluster1.example.com. 86400 IN SRV 1 1 5060 exp2.example.com.\n"
KEYS = ["116341E00-1-0A1B2C3D", "116341G00-1-4E5F6071"]

CASES = (
    Case("access", "exp2 is switched off", power_off, "switch it on", power_on,
         BLOCKER, "peer-unreachable"),
    Case("local-login", "exp3 asks LDAP for its administrators", nothing,
         "local log-in on exp3", write("exp3", "Login Source Admin", "LocalOnly"),
         WARNING, "ldap-login-in-use", scenario={"exp3": {"ldap": "192.0.2.66"}}),
    Case("software-covered", "exp3 runs X8.8", nothing, "let exp4 join", another_candidate,
         BLOCKER, "software-version-not-covered", scenario={"exp3": {"version": "X8.8"}}),
    Case("same-software", "exp3 runs X8.1", nothing, "let exp4 join", another_candidate,
         BLOCKER, "software-versions-differ", scenario={"exp3": {"version": "X8.1"}}),
    Case("cluster-name", "the cluster is called `video`", rename("video"),
         "give it its FQDN", rename(NAME), BLOCKER, "cluster-name-not-fqdn"),
    Case("dns-records", "one SRV record is missing", set_zone(lambda z: z.replace(SIP_2, "")),
         "paste the zone text", set_zone(lambda z: z), BLOCKER, "srv-target-missing"),
    Case("dns-records", "no reverse look-ups", set_zone(lambda z: z.replace(" PTR ", " TXT ")),
         "paste the zone text", set_zone(lambda z: z), BLOCKER, "dns-reverse-missing"),
    Case("different-addresses", "exp3 has an IPv4 address of exp2",
         keep("exp3", "Ethernet 2 IP V4 Address", "192.0.2.12"),
         "another address", write("exp3", "Ethernet 2 IP V4 Address", "198.51.100.13"),
         BLOCKER, "address-used-twice"),
    Case("different-addresses", "exp2 and exp3 share an IPv6 address, spelled differently",
         lambda on: (on.keep("exp2", "Ethernet 1 IP V6 Address", "2001:db8::12"),
                     on.keep("exp3", "Ethernet 1 IP V6 Address", "2001:DB8:0::12"))[0],
         "another address", write("exp3", "Ethernet 1 IP V6 Address", "2001:db8::13"),
         BLOCKER, "address-used-twice"),
    Case("round-trips", "50 ms between exp1 and exp3", distance(50), "10 ms", distance(10),
         BLOCKER, "round-trip-too-long", good=UNKNOWN),
    Case("no-nat-on-lan-1", "static NAT is on",
         put("exp3", "Ethernet 1 IP V4 StaticNAT Mode", "On"),
         "switch it off", write("exp3", "Ethernet 1 IP V4 StaticNAT Mode", "Off"),
         BLOCKER, "static-nat-on-lan-1"),
    Case("lan-1-in-peer-lists", "exp1 lists LAN 2 of exp2",
         lambda on: (on.keep("exp2", "Ethernet 2 IP V4 Address", "198.51.100.12"),
                     on.put("exp1", "Alternates Peer 2 Address", "198.51.100.12"))[0],
         "enter LAN 1", write("exp1", "Alternates Peer 2 Address", "192.0.2.12"),
         BLOCKER, "peer-list-names-lan-2"),
    Case("equivalent-hardware", "exp3 is another platform", nothing, "let exp4 join",
         another_candidate, UNKNOWN, "hardware-equivalent",
         scenario={"exp3": {"hardware": "CE1000"}}),
    Case("same-option-keys", "exp3 has a key more", nothing, "delete the key", delete_option_key,
         BLOCKER, "option-keys-differ",
         scenario={"exp3": {"option_keys": [*KEYS, "116341L00-1-77777777"]}}),
    Case("option-keys-active", "a key was added to exp2", add_option_key, "restart exp2",
         restart("exp2"), WARNING, "option-key-restart-pending"),
    Case("different-names", "exp3 is called exp2 too", put("exp3", "SystemUnit Name", "exp2"),
         "another System name", write("exp3", "SystemUnit Name", "exp3"),
         BLOCKER, "system-name-used-twice"),
    Case("different-names", "exp3 has the DNS host name of exp1",
         put("exp3", "IP DNS Hostname", "exp1"),
         "another System host name", write("exp3", "IP DNS Hostname", "exp3"),
         BLOCKER, "host-name-used-twice"),
    Case("h323-on", "H.323 is off on exp3", put("exp3", "H323 Mode", "Off"),
         "switch it on", write("exp3", "H323 Mode", "On"), BLOCKER, "h323-off"),
    Case("ethernet-speed", "exp3 reports a speed that is none",
         keep("exp3", "Ethernet 1 Speed", "7half"),
         "a valid speed", write("exp3", "Ethernet 1 Speed", "Auto"),
         BLOCKER, "ethernet-speed-invalid"),
    Case("lan-address", "LAN 1 of exp3 is not the registered address", registered_elsewhere,
         "set it right", write("exp3", "Ethernet 1 IP V4 Address", "192.0.2.13"),
         BLOCKER, "lan-address-differs"),
    Case("gateway", "the gateway of exp3 is in another network",
         put("exp3", "IP Gateway", "203.0.113.1"),
         "a router of the LAN", write("exp3", "IP Gateway", "192.0.2.1"),
         BLOCKER, "gateway-invalid"),
    Case("dns-servers", "exp3 has no DNS server", put("exp3", "IP DNS Server 1 Address", ""),
         "set one", write("exp3", "IP DNS Server 1 Address", "192.0.2.53"),
         BLOCKER, "dns-server-missing"),
    Case("dns-servers", "exp3 uses an unqualified name and has no domain",
         lambda on: (on.put("exp3", "NTP Server 1 Address", "ntp"),
                     on.put("exp3", "IP DNS Domain Name", ""))[0],
         "set the domain", write("exp3", "IP DNS Domain Name", "example.com"),
         BLOCKER, "dns-domain-missing"),
    Case("time-synchronised", "exp3 cannot reach its NTP server", ntp(reachable=False),
         "make it reachable", ntp(reachable=True), BLOCKER, "ntp-not-synchronised"),
    Case("clocks-agree", "the clock of exp2 is 90 s ahead", skew, "set it right", no_faults,
         WARNING, "clocks-differ"),
    Case("no-peers-configured", "exp3 lists a peer", nothing, "clear the list",
         clear_peer_list("exp3"), BLOCKER, "peers-configured",
         scenario={"exp3": {"peers": ["192.0.2.13", "192.0.2.44"]}}),
    Case("not-listed-elsewhere", "exp4 lists exp3", nothing, "delete the entry on exp4",
         clear_peer_list("exp4"), BLOCKER, "listed-elsewhere",
         scenario={"exp4": {"peers": ["192.0.2.14", "192.0.2.13"]}}),
    Case("zones", "a zone of exp3 names exp1", nothing, "delete the address",
         write("exp3", "Zones Zone 1 Neighbor Peer 1 Address", ""),
         BLOCKER, "zone-names-peer",
         scenario={"exp3": {"zones": [{"name": "old", "peers": ["192.0.2.11"]}]}}),
    Case("host-name", "exp3 has no DNS host name", put("exp3", "IP DNS Hostname", ""),
         "set it", write("exp3", "IP DNS Hostname", "exp3"), BLOCKER, "dns-host-name-missing"),
    Case("members-agree", "exp2 has another cluster name",
         put("exp2", "Alternates Cluster Name", "other.example.com"),
         "enter the registered name", write("exp2", "Alternates Cluster Name", NAME),
         BLOCKER, "members-disagree"),
    Case("same-configuration", "exp2 was edited by itself", put("exp2", "SIP UDP Mode", "On"),
         "wait for replication", nothing, WARNING, "shared-configuration-differs", wait=1.0),
    Case("alarms", "exp3 is in maintenance mode",
         put("exp3", "SystemUnit Maintenance Mode", "On"), "switch it off",
         write("exp3", "SystemUnit Maintenance Mode", "Off"), WARNING, "alarm"),
    Case("licence-grace", "exp2 is lost for 3 days", lose(3), "bring it back", power_on,
         WARNING, "licence-grace-running"),
    Case("licence-grace", "exp2 is lost for 15 days", lose(15), "bring it back", power_on,
         BLOCKER, "licence-grace-over"),
    Case("licence-grace", "exp2 is lost, nobody knows since when", power_off, "bring it back",
         power_on, UNKNOWN, "licence-grace-days"),
    Case("lost-peer-licences", "exp1 uses licences of a lost peer", lost_licences(wanted=True),
         "the peer is back", lost_licences(wanted=False), WARNING, "licences-of-lost-peer"),
    Case("licence-capacity", "28 calls on 30 licences", nothing, "more licences on exp2",
         more_licences, WARNING, "licences-nearly-used",
         scenario={"exp1": {"calls": ["forever"] * 28}}),
    Case("certificate", "the certificate of exp2 ends in a week", certificate(7),
         "a new certificate", certificate(365), WARNING, "certificate-expires-soon"),
    Case("certificate", "the certificate of exp2 has ended", certificate(-1),
         "a new certificate", certificate(365), WARNING, "certificate-expired"),
)  # fmt: skip

NO_FACTS = {
    "firewalls": "no access path shows firewalls; an operator attests it (gate firewall-open)",
}
"""Checks that no fleet can pass or fail by facts alone, and what settles them."""


def main() -> int:
    """Print the table; 1 where a case did not go as promised or a check has no case."""
    wrong = 0
    say(f"{'check':<22}{'healthy':<9}{'what is broken':<58}{'outcome':<9}{'remedy':<27}after")
    for case in CASES:
        seen = play(case)
        wrong += not seen.as_promised
        end = "" if seen.as_promised else "   <-- not as promised"
        say(f"{case.key:<22}{seen.before:<9}{case.broken:<58}{seen.broken:<9}{case.remedy:<27}"
            f"{seen.after}{end}")  # fmt: skip
    for key, why in NO_FACTS.items():
        say(f"{key:<22}unknown  {why}")
    missing = {check.key for check in CHECKS} - {case.key for case in CASES} - NO_FACTS.keys()
    say(f"{len(CHECKS)} checks, {len(CASES)} cases, {wrong} not as promised,"
        f" {len(missing)} without a case")  # fmt: skip
    return 1 if wrong or missing else 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
