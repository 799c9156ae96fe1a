"""The witness: watches a fleet and writes down every moment at which a safety rule was broken.

The rules are rule 3 of the architecture. The witness looks after every change of state, before
every act that destroys configuration, and at every text an appliance sends, so an offence of a few
milliseconds is seen too. It looks at what the appliances are, never at what a program believes.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from transports.mock.accounts import DEFAULT_PASSWORD
from transports.mock.expressway import Expressway, Power
from transports.mock.fleet import Fleet

MAX_PEERS = 6
_SHORTEST_SECRET = 6

TWO_PRIMARIES = "two primaries"
TWO_RESTARTS = "two peers restarting at once"
WIPED_PRIMARY = "wipe of a primary"
WIPED_SERVING = "wipe of a peer that serves in a cluster"
NO_BACKUP = "wipe without a backup"
TOO_MANY = "more than six peers"
TWO_JOINERS = "two peers being added at once"
SECRET_SHOWN = "a secret was shown"  # noqa: S105 - the name of a rule


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: when (device seconds), which, on which appliances, and what was seen."""

    at: float
    rule: str
    names: tuple[str, ...]
    seen: str

    def __str__(self) -> str:
        return f"{self.at:.2f} s: {self.rule}: {', '.join(self.names)}: {self.seen}"


class Witness:
    """Watches from the moment it is made until `leave`.

    `two_primaries_for` is how many device seconds two peers of one cluster may both take themselves
    for primary while the change of primary is under way.
    """

    def __init__(self, fleet: Fleet, *, two_primaries_for: float = 300.0) -> None:
        self._fleet = fleet
        self._bound = two_primaries_for
        self.violations: list[Violation] = []
        self.looks: Counter[str] = Counter()
        """How often each rule was looked at: one that is never looked at proves nothing."""
        self._reported: set[tuple[str, frozenset[str]]] = set()
        self._claims: dict[frozenset[str], float] = {}
        self._started = fleet.clock.now()
        self._secrets: set[str] = set()
        self._restored: dict[str, tuple[str, ...] | None] = {}
        """Peer lists that came out of backups, by appliance; None until one is there."""
        self._unhook: list[Callable[[], None]] = [
            fleet.on_change(self._changed),
            fleet.on_wipe(self._wipe),
            fleet.on_text(self._text),
        ]
        self.look()

    def leave(self) -> None:
        """Stop watching; what was seen stays."""
        for unhook in self._unhook:
            unhook()
        self._unhook.clear()

    def look(self) -> None:
        """Look at the whole fleet now."""
        for device in self._fleet:
            self._learn(device)
            self._sizes(device)
            self._joiners(device)
        for one, other in itertools.combinations(list(self._fleet), 2):
            self._pair(one, other)

    def disagreements(self, *names: str) -> list[str]:
        """Where the named appliances that are up differ on cluster name, peer list or primary.

        For the end of a job: empty means that all reachable members agree.
        """
        devices = [self._fleet[name] for name in names]
        up = [d for d in devices if d.up and self._fleet.serves(d)]
        found: list[str] = []
        for one, other in itertools.pairwise(up):
            a, b = one.cluster.saved(), other.cluster.saved()
            for word, mine, theirs in (
                ("cluster name", a.name, b.name),
                ("peer list", a.peers, b.peers),
                ("primary", a.master_address, b.master_address),
            ):
                if mine != theirs:
                    found.append(f"{one.name} and {other.name} differ on the {word}")
        return found

    def _changed(self, device: Expressway, _: str) -> None:
        self._learn(device)
        self._sizes(device)
        self._joiners(device)
        for other in self._fleet:
            if other is not device:
                self._pair(device, other)

    def _report(self, rule: str, seen: str, *devices: Expressway, once: bool = True) -> None:
        names = tuple(sorted(device.name for device in devices))
        key = (rule, frozenset(names))
        if once and key in self._reported:
            return
        self._reported.add(key)
        self.violations.append(Violation(self._fleet.clock.now(), rule, names, seen))

    def _cleared(self, rule: str, *devices: Expressway) -> None:
        self._reported.discard((rule, frozenset(device.name for device in devices)))

    def _learn(self, device: Expressway) -> None:
        """Remember every secret an appliance ever had: an old key is a secret too."""
        found = [device.cluster.key, *device.accounts.secrets()]
        self._secrets |= {s for s in found if len(s) >= _SHORTEST_SECRET and s != DEFAULT_PASSWORD}

    def _sizes(self, device: Expressway) -> None:
        listed = device.cluster.saved().listed
        named = {
            other.address
            for other in self._fleet
            if other.power is not Power.OFF
            and device.address in other.cluster.saved().listed
            and other.cluster.saved().name == device.cluster.saved().name
        } | set(listed)
        self.looks[TOO_MANY] += 1
        if listed and len(named) > MAX_PEERS:
            self._report(TOO_MANY, f"{len(named)} addresses", device)

    def _joiners(self, device: Expressway) -> None:
        """At the primary, no more than one listed peer may not have joined yet."""
        rule = TWO_JOINERS
        cluster = device.cluster
        if self._came_from_a_backup(device) or not cluster.claims_master:
            return
        self.looks[rule] += 1
        new = sorted(set(cluster.saved().listed) - cluster.met - {device.address})
        if len(new) > 1:
            self._report(rule, f"{', '.join(new)} have not joined", device)
        else:
            self._cleared(rule, device)

    def _came_from_a_backup(self, device: Expressway) -> bool:
        """Whether the peer list is, untouched, what a restore brought: then nobody is being added.

        A restored unit may list the cluster it once led; the others do not list it.
        """
        if device.name not in self._restored:
            return False
        listed = device.cluster.saved().listed
        if self._restored[device.name] in {None, listed}:
            self._restored[device.name] = listed
            return True
        del self._restored[device.name]
        return False

    def _pair(self, one: Expressway, other: Expressway) -> None:
        if not _one_cluster(one, other):
            self._claims.pop(frozenset((one.name, other.name)), None)
            return
        self._two_restarts(one, other)
        self._two_primaries(one, other)

    def _two_restarts(self, one: Expressway, other: Expressway) -> None:
        rule = TWO_RESTARTS
        self.looks[rule] += 1
        if one.power is other.power is Power.RESTARTING:
            self._report(rule, "both are down for a restart", one, other)
        else:
            self._cleared(rule, one, other)

    def _two_primaries(self, one: Expressway, other: Expressway) -> None:
        self.looks[TWO_PRIMARIES] += 1
        pair = frozenset((one.name, other.name))
        both = one.cluster.claims_master and other.cluster.claims_master
        if not (both and one.up and other.up):
            self._claims.pop(pair, None)
            self._cleared(TWO_PRIMARIES, one, other)
            return
        now = self._fleet.clock.now()
        since = self._claims.setdefault(pair, now)
        if since == now:
            self._fleet.clock.call_later(self._bound, lambda: self._still(pair, since))

    def _still(self, pair: frozenset[str], since: float) -> None:
        if self._unhook and self._claims.get(pair) == since:
            one, other = sorted(pair)
            self._report(
                TWO_PRIMARIES,
                f"for {self._bound:.0f} s",
                self._fleet[one],
                self._fleet[other],
            )

    def _wipe(self, device: Expressway, how: str) -> None:
        cluster = device.cluster
        self.looks.update((WIPED_PRIMARY, WIPED_SERVING, NO_BACKUP))
        if how == "restore":
            self._restored[device.name] = None
        forced = how == "ForceConfigUpdate"
        if cluster.claims_master:
            self._report(WIPED_PRIMARY, how, device, once=False)
        elif not forced and _serves(device):
            self._report(WIPED_SERVING, how, device, once=False)
        if not any(made.taken_at >= self._started for made in device.backups):
            self._report(NO_BACKUP, how, device, once=False)

    def _text(self, device: Expressway, text: str) -> None:
        self.looks[SECRET_SHOWN] += 1
        for secret in self._secrets:  # a plain loop: every reply comes through here
            if secret in text:
                self._report(SECRET_SHOWN, f"in {len(text)} characters", device)


def _one_cluster(one: Expressway, other: Expressway) -> bool:
    """Each lists the other."""
    return (
        other.address in one.cluster.saved().listed and one.address in other.cluster.saved().listed
    )


def _serves(device: Expressway) -> bool:
    """Clustering runs on it, and somebody else counts on it."""
    return device.cluster.running and any(
        _one_cluster(device, other) for other in device.fleet if other is not device
    )
