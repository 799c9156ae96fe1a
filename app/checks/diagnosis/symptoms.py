"""What shows that something is wrong with a cluster: alarms, status words, differing configuration.

A symptom is not a finding: one wrong peer list shows as ten of them on all peers. The rules of
`app.checks.causes` say which cause accounts for which symptoms; what a running job brings about by
itself is marked here, because nobody should be woken by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from app.appliance.alarm_catalogue import AlarmKind, kind_of_alarm
from app.domain.cluster import Cluster
from app.domain.observation import Alarm, NotObserved, Observation, View
from app.domain.peer import Peer
from app.domain.plan import Plan, PlannedStep

PEER_WORD = "peer-status"
DATABASE = "database-status"
CONFIGURATION = "configuration-differs"

_GOOD_WORDS = frozenset({"active", "this system"})
_TRANSIENT_WORDS = frozenset({"", "unknown", "refreshing"})


@dataclass(frozen=True, slots=True)
class RunningJob:
    """The job that is at work on the cluster, and what it still does."""

    id: str
    plan: Plan

    def steps_on(self, peer_id: str | None = None) -> Iterator[PlannedStep]:
        """The plan's steps that act on a peer's clustering, or on that of one."""
        for step in self.plan.steps:
            if step.kind not in _HARMLESS and peer_id in {None, step.peer_id}:
                yield step

    @property
    def changes_cluster(self) -> bool:
        """Whether the job restarts or reconfigures any peer."""
        return any(not _only_settings(step) for step in self.steps_on())

    def takes_down(self, peer_id: str) -> bool:
        """Whether the peer restarts or is reset in this job."""
        return any(not _only_settings(step) for step in self.steps_on(peer_id))

    def uses_maintenance_mode(self, peer_id: str) -> bool:
        """Whether the job switches maintenance mode of the peer."""
        return any("SystemUnit Maintenance Mode" in str(s.params) for s in self.steps_on(peer_id))


_HARMLESS = frozenset(
    {"attest", "back-up", "review", "zones-do-not-name", "calls-clear", "record-members",
     "alarms-cleared", "database-active", "same-configuration", "peer-status",
     "disconnect-calls"}
)  # fmt: skip
"""Kinds of steps that leave no trace on a peer's clustering."""


def _only_settings(step: PlannedStep) -> bool:
    return step.kind == "write-settings"


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a diagnosis rests on.

    `reach` tells of pairs of peers, by id, whether a packet of one reaches the other: measured from
    peer to peer where a transport can, and empty where none can.
    """

    cluster: Cluster
    views: Mapping[str, View]
    running: RunningJob | None = None
    reach: Mapping[tuple[str, str], bool] = field(default_factory=dict)

    @property
    def observed(self) -> tuple[tuple[Peer, Observation], ...]:
        """The members that answered, in the order of the peer list."""
        pairs = ((peer, self.views.get(peer.id)) for peer in self.cluster.members)
        return tuple((peer, view) for peer, view in pairs if isinstance(view, Observation))

    @property
    def silent(self) -> tuple[tuple[Peer, NotObserved], ...]:
        """The members that could not be read."""
        pairs = ((peer, self.views.get(peer.id)) for peer in self.cluster.members)
        return tuple((peer, view) for peer, view in pairs if isinstance(view, NotObserved))

    @property
    def primary(self) -> Observation | None:
        """The registered primary's answers."""
        view = self.views.get(self.cluster.primary_id or "")
        return view if isinstance(view, Observation) else None


@dataclass(frozen=True, slots=True)
class Symptom:
    """One sign at one peer. `key` is the catalogue's key of an alarm, or one of the three above."""

    peer_id: str
    key: str
    text: str
    about: str = ""
    """The address of the peer that the sign is about, where it says one."""
    alarm: Alarm | None = None
    kind: AlarmKind | None = None
    expected: str = ""
    """Why it is no surprise right now; "" where it is one."""


def symptoms(case: Case) -> tuple[Symptom, ...]:
    """All signs at all members, in the order of the peer list."""
    return tuple(
        sign for peer, seen in case.observed for sign in (*_alarms(case, seen), *_words(case, seen))
    )


def _alarms(case: Case, seen: Observation) -> Iterator[Symptom]:
    for alarm in seen.alarms:
        kind = kind_of_alarm(alarm)
        text = f"{alarm.title}: {alarm.description}" if alarm.description else alarm.title
        key = kind.key if kind is not None else f"alarm {alarm.uuid or alarm.title}"
        expected = expected_alarm(case.running, seen.peer_id, key, cluster=_is_cluster(alarm, kind))
        yield Symptom(seen.peer_id, key, text, "", alarm, kind, expected)


def _words(case: Case, seen: Observation) -> Iterator[Symptom]:
    expected = _while_changing(case.running)
    for peer in seen.clustering.peers:
        if is_apart(peer.status):
            text = f"Peer {peer.index} ({peer.address}) is shown as {peer.status}"
            yield Symptom(seen.peer_id, PEER_WORD, text, peer.address, expected=expected)
    database = seen.clustering.database_status
    if database and seen.clustering.peers and database.casefold() != "active":
        text = f"Cluster database status is {database}"
        yield Symptom(seen.peer_id, DATABASE, text, expected=expected)
    primary = case.primary
    if primary is not None and seen.shared_digest != primary.shared_digest:
        text = f"The shared configuration is not that of {primary.label}"
        yield Symptom(seen.peer_id, CONFIGURATION, text, expected=expected)


def is_apart(word: str | None) -> bool:
    """Whether the word beside a peer says that it is not connected, rather than not yet known."""
    folded = (word or "").casefold()
    return folded not in _GOOD_WORDS and folded not in _TRANSIENT_WORDS


_BY_ANY_CHANGE = frozenset({"system-busy", "factory-reset-started", "restart-required"})
_AFTER_A_RESTART = frozenset({"ntp-unreachable", "ntp-not-available", "time-not-validated"})


def expected_alarm(running: RunningJob | None, peer_id: str, key: str, *, cluster: bool) -> str:
    """Why an alarm is no surprise while this job runs (guide p.7; device facts 9); else ""."""
    if running is None:
        return ""
    why = _while_changing(running)
    own = running.takes_down(peer_id)
    if key == "maintenance-mode" and running.uses_maintenance_mode(peer_id):
        return f"job {running.id} ({running.plan.procedure}) uses maintenance mode on this peer"
    if own and (key in _BY_ANY_CHANGE | _AFTER_A_RESTART or key.startswith("restart-")):
        return why
    if cluster and key not in {"h323-off", "invalid-peer-address"}:
        return why
    return ""


def _while_changing(running: RunningJob | None) -> str:
    if running is None or not running.changes_cluster:
        return ""
    return (
        f"job {running.id} ({running.plan.procedure}) is changing this cluster; it checks at its"
        " end that this has gone"
    )


def _is_cluster(alarm: Alarm, kind: AlarmKind | None) -> bool:
    numbers = kind.numbers if kind is not None else ()
    clustering = any(20003 <= number <= 20026 for number in numbers)
    return clustering or alarm.title.casefold().startswith("cluster ")
