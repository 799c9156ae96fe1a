"""For every check a fleet that passes it, one that fails it, and the remedy that makes it pass.

One thing is broken, the report is made, the remedy that the finding names is applied as an operator
would, and the report is made again; every finding that a check can have is there. `make findings`
prints the table.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.checks.catalogue import CHECKS
from app.checks.report import Checked, Outcome, Report, worst
from app.domain.observation import Ntp
from tests.unit.checks.fleet_bench import (
    NAME,
    SETTLE,
    Do,
    add_option_key,
    another_candidate,
    attest,
    bench,
    candidates,
    certificate,
    clear_peer_list,
    cut,
    cut_members,
    delete_option_key,
    distance,
    do,
    hide,
    keep,
    lose,
    lost_licences,
    mend_and_attest,
    more_licences,
    name_servers,
    no_faults,
    nothing,
    ntp,
    pings,
    pins,
    put,
    registered_elsewhere,
    rename,
    restart,
    set_zone,
    skew,
    switch_off,
    switch_on,
    uncut_members,
    words,
    write,
)
from transports.mock.virtual_time import run


@dataclass(frozen=True)
class Case:
    """One check, one way to fail it, and the remedy, after which it passes."""

    key: str
    broken: str
    break_it: Do
    remedy: str
    mend_it: Do
    bad: Outcome
    code: str
    healthy: Outcome = Outcome.PASS
    """What a fleet with nothing wrong gives: unknown where only a person can know."""
    scenario: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    wait: float = SETTLE


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
            self.before is self.case.healthy
            and self.broken is self.case.bad
            and self.case.code in self.codes
            and self.after is Outcome.PASS
        )


async def story(case: Case) -> Seen:
    """Break, report, mend, report. The state before is a fleet without the case's change."""
    before, _ = outcome(await bench().report(), case.key)
    on = bench(case.scenario)
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


BLOCKER, WARNING, UNKNOWN = Outcome.BLOCKER, Outcome.WARNING, Outcome.UNKNOWN
SIP_2 = "_sip._tcp.cluster1.example.com. 86400 IN SRV 1 1 5060 exp2.example.com.\n"
KEYS = ["116341E00-1-0A1B2C3D", "116341G00-1-4E5F6071"]
SRV_2 = "86400 IN SRV 1 1 5060 exp2.example.com."
A_2 = "exp2.example.com. 86400 IN A 192.0.2.12\n"
PTR_2 = "12.2.0.192.in-addr.arpa. 86400 IN PTR exp2.example.com."
OTHER = "_sip._tcp.cluster1.example.com. 86400 IN SRV 1 1 5060 other.example.com.\n"
NAPTR = 'cluster1.example.com. 60 IN NAPTR {} 100 "s" "{}" "" {}.cluster1.example.com.\n'
UDP = '"s" "SIP+D2U" "" _sip._udp.cluster1.example.com.'


def zone(broken: str, code: str, bad: Outcome, change: Callable[[str], str]) -> Case:
    """A mistake in the zone, mended by the zone text that the dns resource shows."""
    paste = set_zone(lambda text: text)
    return Case("dns-records", broken, set_zone(change), "paste the zone text", paste, bad, code)


def untold(key: str, what: str, code: str, **facts: Any) -> Case:
    """A fact that no peer tells leaves the check unknown, and never passing."""
    broken, mended = f"no peer tells {what}", "a peer that tells it"
    return Case(key, broken, hide(**facts), mended, hide(), UNKNOWN, code)


CASES = (
    Case("access", "exp2 is switched off", switch_off("exp2"), "switch it on", switch_on("exp2"),
         BLOCKER, "peer-unreachable"),
    Case("local-login", "exp3 asks LDAP for its administrators", nothing,
         "local log-in on exp3", write("exp3", "Login Source Admin", "LocalOnly"),
         WARNING, "ldap-login-in-use", scenario={"exp3": {"ldap": "192.0.2.66"}}),
    untold("local-login", "where it logs in", "local-login", ldap_login=None),
    Case("software-covered", "exp3 runs X8.8", nothing, "let exp4 join", another_candidate,
         BLOCKER, "software-version-not-covered", scenario={"exp3": {"version": "X8.8"}}),
    Case("same-software", "exp3 runs X8.1", nothing, "let exp4 join", another_candidate,
         BLOCKER, "software-versions-differ", scenario={"exp3": {"version": "X8.1"}}),
    untold("same-software", "its version", "same-software", software_version=""),
    Case("cluster-name", "the cluster is called `video`", rename("video"),
         "give it its FQDN", rename(NAME), BLOCKER, "cluster-name-not-fqdn"),
    zone("no SRV records at all", "srv-records-missing", BLOCKER,
         lambda z: z.replace(" SRV ", " TXT ")),
    zone("one SRV record is missing", "srv-target-missing", BLOCKER,
         lambda z: z.replace(SIP_2, "")),
    zone("no _h323cs records", "srv-service-missing", WARNING,
         lambda z: z.replace("_h323cs", "_h323xx")),
    zone("an SRV target without an address", "srv-target-unresolved", BLOCKER,
         lambda z: z + SIP_2.replace("exp2", "exp9")),
    zone("an SRV target is somebody else", "srv-target-foreign", WARNING,
         lambda z: z + OTHER + A_2.replace("exp2", "other").replace(".12", ".80")),
    zone("an SRV target has an address more", "srv-target-more-addresses", WARNING,
         lambda z: z + A_2.replace("192.0.2.12", "198.51.100.12")),
    zone("an SRV target is an alias", "srv-target-alias", WARNING,
         lambda z: z + OTHER + "other.example.com. 60 IN CNAME exp2.example.com.\n"),
    zone("exp2 has another priority", "srv-priorities-differ", WARNING,
         lambda z: z.replace(SRV_2, SRV_2.replace("SRV 1", "SRV 2"))),
    zone("exp2 has another weight", "srv-weights-differ", WARNING,
         lambda z: z.replace(SRV_2, SRV_2.replace("1 5060", "9 5060"))),
    zone("exp2 has another port", "srv-port-unusual", WARNING,
         lambda z: z.replace(SRV_2, SRV_2.replace("5060", "5070"))),
    zone("hosts outside share the priority", "srv-failover-priority-same", WARNING,
         lambda z: z + OTHER + A_2.replace("exp2", "other").replace(".12", ".80")),
    zone("a second cluster with two priorities", "srv-failover-priorities-differ", WARNING,
         lambda z: z + OTHER.replace("SRV 1", "SRV 2") + OTHER.replace("SRV 1", "SRV 3")
         .replace("other", "more") + A_2.replace("exp2", "other").replace(".12", ".80")
         + A_2.replace("exp2", "more").replace(".12", ".81")),
    zone("SIP over UDP is offered", "srv-sip-udp", Outcome.PASS,
         lambda z: z + SIP_2.replace("_tcp", "_udp")),
    zone("exp2 has another address in DNS", "dns-forward-missing", BLOCKER,
         lambda z: z.replace(A_2, A_2.replace(".12", ".99"))),
    zone("no reverse look-ups", "dns-reverse-missing", BLOCKER,
         lambda z: z.replace(" PTR ", " TXT ")),
    zone("exp2 has another name in reverse", "dns-reverse-differs", WARNING,
         lambda z: z.replace(PTR_2, PTR_2.replace("PTR exp2", "PTR old"))),
    zone("NAPTR leads to SRV records that are not there", "naptr-leads-nowhere", WARNING,
         lambda z: z + NAPTR.format(10, "SIP+D2U", "_sip._udp")),
    zone("NAPTR prefers TCP to TLS", "naptr-order", WARNING,
         lambda z: z + NAPTR.format(10, "SIP+D2T", "_sip._tcp")
         + NAPTR.format(20, "SIPS+D2T", "_sips._tcp")),
    Case("dns-records", "the NTP name of exp3 has no address",
         put("exp3", "NTP Server 1 Address", "ntp.example.com"),
         "an address instead", write("exp3", "NTP Server 1 Address", "192.0.2.123"),
         BLOCKER, "dns-name-unresolved"),
    Case("dns-records", "the LDAP server of exp3 has no reverse name", nothing,
         "local log-in on exp3", write("exp3", "Login Source Admin", "LocalOnly"),
         BLOCKER, "ldap-reverse-missing", scenario={"exp3": {"ldap": "192.0.2.66"}}),
    Case("dns-records", "name servers give no answer", name_servers(answer=False), "they answer",
         name_servers(answer=True),
         UNKNOWN, "dns-records"),
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
         BLOCKER, "round-trip-too-long"),
    Case("round-trips", "no peer can ping", pings(able=False), "endpoints that can",
         pings(able=True), UNKNOWN, "round-trips"),
    Case("round-trips", "no peer can ping", pings(able=False), "an operator states it",
         attest("round-trips"), UNKNOWN, "round-trips"),
    Case("direct-routing", "NAT cannot be seen", nothing, "an operator states it",
         attest("direct-routing"), UNKNOWN, "direct-routing", healthy=UNKNOWN),
    Case("direct-routing", "exp3 gets no echo from exp1", cut, "mend it, and state it",
         mend_and_attest, UNKNOWN, "peer-does-not-answer-peer", healthy=UNKNOWN),
    Case("firewalls", "firewalls cannot be seen", nothing, "an operator states it",
         attest("firewall-open"), UNKNOWN, "firewall-open", healthy=UNKNOWN),
    Case("no-nat-on-lan-1", "static NAT is on",
         put("exp3", "Ethernet 1 IP V4 StaticNAT Mode", "On"),
         "switch it off", write("exp3", "Ethernet 1 IP V4 StaticNAT Mode", "Off"),
         BLOCKER, "static-nat-on-lan-1"),
    untold("no-nat-on-lan-1", "its interfaces", "static-nat", lans=()),
    Case("lan-1-in-peer-lists", "exp1 lists LAN 2 of exp2",
         lambda on: (on.keep("exp2", "Ethernet 2 IP V4 Address", "198.51.100.12"),
                     on.put("exp1", "Alternates Peer 2 Address", "198.51.100.12"))[0],
         "enter LAN 1", write("exp1", "Alternates Peer 2 Address", "192.0.2.12"),
         BLOCKER, "peer-list-names-lan-2"),
    untold("equivalent-hardware", "its hardware", "hardware-equivalent", hardware=""),
    Case("equivalent-hardware", "exp3 is another platform", nothing, "let exp4 join",
         another_candidate, UNKNOWN, "hardware-equivalent",
         scenario={"exp3": {"hardware": "CE1000"}}),
    Case("same-option-keys", "exp3 has a key more", nothing, "delete the key", delete_option_key,
         BLOCKER, "option-keys-differ",
         scenario={"exp3": {"option_keys": [*KEYS, "116341L00-1-77777777"]}}),
    untold("same-option-keys", "its features", "same-option-keys", features={}),
    Case("option-keys-active", "a key was added to exp2", add_option_key, "restart exp2",
         restart("exp2"), WARNING, "option-key-restart-pending"),
    Case("different-names", "exp3 is called exp2 too", put("exp3", "SystemUnit Name", "exp2"),
         "another System name", write("exp3", "SystemUnit Name", "exp3"),
         BLOCKER, "system-name-used-twice"),
    Case("different-names", "exp3 has the DNS host name of exp1",
         put("exp3", "IP DNS Hostname", "exp1"),
         "another System host name", write("exp3", "IP DNS Hostname", "exp3"),
         BLOCKER, "host-name-used-twice"),
    Case("different-names", "exp3 has no System name", put("exp3", "SystemUnit Name", ""),
         "give it one", write("exp3", "SystemUnit Name", "exp3"), WARNING, "system-name-missing"),
    untold("h323-on", "its H.323 mode", "h323-mode", h323_on=None),
    Case("h323-on", "H.323 is off on exp3", put("exp3", "H323 Mode", "Off"),
         "switch it on", write("exp3", "H323 Mode", "On"), BLOCKER, "h323-off"),
    untold("ethernet-speed", "its interfaces", "ethernet-speed", lans=()),
    Case("ethernet-speed", "exp3 reports a speed that is none",
         keep("exp3", "Ethernet 1 Speed", "7half"),
         "a valid speed", write("exp3", "Ethernet 1 Speed", "Auto"),
         BLOCKER, "ethernet-speed-invalid"),
    Case("lan-address", "LAN 1 of exp3 has no usable address",
         keep("exp3", "Ethernet 1 IP V4 Address", "127.0.0.1"),
         "set it right", write("exp3", "Ethernet 1 IP V4 Address", "192.0.2.13"),
         BLOCKER, "lan-address-invalid"),
    Case("lan-address", "LAN 1 of exp3 is not the registered address", registered_elsewhere,
         "set it right", write("exp3", "Ethernet 1 IP V4 Address", "192.0.2.13"),
         BLOCKER, "lan-address-differs"),
    Case("gateway", "the gateway of exp3 is in another network",
         put("exp3", "IP Gateway", "203.0.113.1"),
         "a router of the LAN", write("exp3", "IP Gateway", "192.0.2.1"),
         BLOCKER, "gateway-invalid"),
    untold("gateway", "its interfaces", "gateway", lans=()),
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
    Case("time-synchronised", "exp3 has no NTP server", put("exp3", "NTP Server 1 Address", ""),
         "set one", write("exp3", "NTP Server 1 Address", "192.0.2.123"),
         BLOCKER, "ntp-server-missing"),
    Case("time-synchronised", "no path shows the State of System > Time",
         hide(ntp=Ntp(("192.0.2.123",), None)), "one that does", hide(), UNKNOWN, "ntp-state"),
    untold("clocks-agree", "its time", "clocks-agree", clock_offset=None),
    Case("clocks-agree", "the clock of exp2 is 90 s ahead", skew, "set it right", no_faults,
         WARNING, "clocks-differ"),
    Case("no-peers-configured", "exp3 lists a peer", nothing, "clear the list",
         clear_peer_list("exp3"), BLOCKER, "peers-configured",
         scenario={"exp3": {"peers": ["192.0.2.13", "192.0.2.44"]}}),
    Case("not-listed-elsewhere", "exp4 lists exp3", nothing, "delete the entry on exp4",
         clear_peer_list("exp4"), BLOCKER, "listed-elsewhere",
         scenario={"exp4": {"peers": ["192.0.2.14", "192.0.2.13"]}}),
    Case("not-listed-elsewhere", "exp4 does not answer", switch_off("exp4"), "switch it on",
         switch_on("exp4"), UNKNOWN, "not-listed-elsewhere"),
    Case("zones", "a zone of exp3 names exp1", nothing, "delete the address",
         write("exp3", "Zones Zone 1 Neighbor Peer 1 Address", ""),
         BLOCKER, "zone-names-peer",
         scenario={"exp3": {"zones": [{"name": "old", "peers": ["192.0.2.11"]}]}}),
    Case("host-name", "the DNS host name of exp3 has two labels",
         keep("exp3", "IP DNS Hostname", "exp 3"),
         "one label", write("exp3", "IP DNS Hostname", "exp3"), BLOCKER, "dns-host-name-invalid"),
    Case("host-name", "exp3 has no DNS host name", put("exp3", "IP DNS Hostname", ""),
         "set it", write("exp3", "IP DNS Hostname", "exp3"), BLOCKER, "dns-host-name-missing"),
    Case("members-agree", "exp2 has another cluster name",
         put("exp2", "Alternates Cluster Name", "other.example.com"),
         "enter the registered name", write("exp2", "Alternates Cluster Name", NAME),
         BLOCKER, "members-disagree"),
    Case("members-joined", "exp1 and exp2 do not reach each other", cut_members, "they do",
         uncut_members, BLOCKER, "peer-not-active"),
    Case("members-joined", "the database of exp2 is not Active", cut_members, "it is",
         uncut_members, BLOCKER, "cluster-database-not-active"),
    Case("members-joined", "no path shows the words of System > Clustering", words(shown=False),
         "one that does", words(shown=True), UNKNOWN, "members-joined"),
    Case("room", "five more are to join", candidates("exp3", "exp4", "exp5", "exp6", "exp7"),
         "leave one out", candidates("exp3", "exp4", "exp5", "exp6"),
         BLOCKER, "too-many-peers", scenario={"exp5": {}, "exp6": {}, "exp7": {}}),
    Case("same-configuration", "exp2 was edited by itself", put("exp2", "SIP UDP Mode", "On"),
         "wait for replication", nothing, WARNING, "shared-configuration-differs", wait=1.0),
    Case("alarms", "exp3 is in maintenance mode",
         put("exp3", "SystemUnit Maintenance Mode", "On"), "switch it off",
         write("exp3", "SystemUnit Maintenance Mode", "Off"), WARNING, "alarm"),
    Case("licence-grace", "exp2 is lost for 3 days", lose(3), "bring it back", switch_on("exp2"),
         WARNING, "licence-grace-running"),
    Case("licence-grace", "exp2 is lost for 15 days", lose(15), "bring it back", switch_on("exp2"),
         BLOCKER, "licence-grace-over"),
    Case("licence-grace", "exp2 is lost, nobody knows since when", switch_off("exp2"),
         "bring it back", switch_on("exp2"), UNKNOWN, "licence-grace-days"),
    Case("lost-peer-licences", "exp1 uses licences of a lost peer", lost_licences(wanted=True),
         "the peer is back", lost_licences(wanted=False), WARNING, "licences-of-lost-peer"),
    Case("licence-capacity", "28 calls on 30 licences", nothing, "more licences on exp2",
         more_licences, WARNING, "licences-nearly-used",
         scenario={"exp1": {"calls": ["forever"] * 28}}),
    untold("licence-capacity", "its calls", "licence-capacity", calls=None),
    Case("peer-capacity", "exp1 has calls, its platform's limit is not shown", nothing,
         "an operator states it", attest("peer-capacity"), UNKNOWN, "peer-capacity",
         scenario={"exp1": {"calls": ["forever"] * 3}}),
    Case("certificate", "the certificate of exp2 ends in a week", certificate(7),
         "a new certificate", certificate(365), WARNING, "certificate-expires-soon"),
    Case("certificate", "no certificate is pinned", pins(there=False), "pin them",
         pins(there=True), UNKNOWN, "certificate-expiry"),
    Case("certificate", "the certificate of exp2 has ended", certificate(-1),
         "a new certificate", certificate(365), WARNING, "certificate-expired"),
)  # fmt: skip


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
    missing = {check.key for check in CHECKS} - {case.key for case in CASES}
    say(f"{len(CHECKS)} checks, {len(CASES)} cases, {wrong} not as promised,"
        f" {len(missing)} without a case")  # fmt: skip
    return 1 if wrong or missing else 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
