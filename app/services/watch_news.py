"""What is new about a cluster since it was last looked at: said once, not at every look.

Pure. What stood before and what is so now give the events and what stands next. A peer that cannot
be read clears nothing that was known of it, and what a running job brings about is neither raised
nor cleared while it runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.checks.diagnosis import Cause, Diagnosis
from app.checks.findings import warning
from app.domain.finding import Finding
from app.domain.observation import NotObserved, Observation
from app.services.diagnosis import Diagnosed
from app.services.plan_document import facts, to_json
from app.services.watch_records import (
    ALARM_CLEARED,
    ALARM_RAISED,
    FINDING_CHANGED,
    FINDING_CLEARED,
    FINDING_RAISED,
    Facts,
    NewClusterEvent,
    Standing,
)

MOST_FACTS = 20
"""How many changed facts of one peer a finding lists."""
CHANGED = "changed-since-accepted"
_PASSING = ("alarms", "clustering.database_status", "clock_offset", "maintenance_mode",
            "ntp.state", "unknown", "restart", "round_trip_from_here")  # fmt: skip
"""Facts that have findings of their own, or come and go by themselves."""


@dataclass(frozen=True, slots=True)
class News:
    """What stands from now on, and what to tell."""

    standing: tuple[Standing, ...]
    events: tuple[NewClusterEvent, ...]


def lasting_facts(found: Diagnosed) -> dict[str, dict[str, str]]:
    """The facts by peer that an accepted state is made of; who was not read is left out."""
    return {
        peer_id: {name: text for name, text in facts(view).items() if not _passing(name)}
        for peer_id, view in sorted(found.views.items())
        if isinstance(view, Observation)
    }


def _passing(name: str) -> bool:
    return name.startswith(_PASSING) or (
        name.startswith("clustering.peers.") and name.endswith(".status")
    )


def drift(accepted: Facts, now: Facts) -> Iterator[Finding]:
    """What differs, peer by peer, from the state that was last accepted."""
    for peer_id, present in now.items():
        then = accepted.get(peer_id)
        if then is None:
            continue
        names = sorted(n for n in {*then, *present} if then.get(n) != present.get(n))
        if names:
            more = len(names) - MOST_FACTS
            evidence = {
                name: f"{then.get(name, 'absent')} -> {present.get(name, 'absent')}"
                for name in names[:MOST_FACTS]
            }
            yield warning(
                CHANGED,
                f"{len(names)} fact(s) of this peer changed since its state was last accepted:"
                f" {', '.join(names[:MOST_FACTS])}" + (f" and {more} more." if more > 0 else "."),
                "Where the change is meant, accept the state; else undo it on the peer.",
                "",
                peer_id=peer_id,
                evidence=evidence,
            )


def news(before: Mapping[str, Standing], found: Diagnosed, drifted: tuple[Finding, ...]) -> News:
    """Compare what stood with what is found now. `drifted`: see `drift`."""
    silent = {view.peer_id for view in found.views.values() if isinstance(view, NotObserved)}
    present = {entry.key: entry for entry in _present(found, drifted, silent)}
    excused = _excused(found.diagnosis)
    events: list[NewClusterEvent] = []
    standing = dict(present)
    for key, entry in present.items():
        known = before.get(key)
        if known is None:
            events.append(_event(entry, ALARM_RAISED, FINDING_RAISED))
        elif entry.kind != "alarm" and _substance(known.body) != _substance(entry.body):
            events.append(_event(entry, FINDING_CHANGED, FINDING_CHANGED))
    for key, known in before.items():
        if key in present:
            continue
        if _cannot_tell(known, silent) or key in excused or _paused(known, found):
            standing[key] = known
        else:
            events.append(_event(known, ALARM_CLEARED, FINDING_CLEARED))
    return News(tuple(standing.values()), tuple(events))


def _present(
    found: Diagnosed, drifted: tuple[Finding, ...], silent: set[str]
) -> Iterator[Standing]:
    for cause in found.diagnosis.unexpected:
        kind = "silence" if cause.finding.peer_id in silent else "finding"
        yield Standing(cause.key, kind, cause.finding.peer_id, _body(cause))
    for sign in found.diagnosis.symptoms:
        if sign.alarm is not None and not sign.expected:
            number = sign.alarm.number
            body: dict[str, Any] = {"peer_id": sign.peer_id, "code": sign.key, "text": sign.text}
            body |= {"number": number} if number is not None else {}
            yield Standing(_alarm_key(sign.peer_id, sign.key), "alarm", sign.peer_id, body)
    for finding in drifted:
        yield Standing(f"{CHANGED}@{finding.peer_id}", "finding", finding.peer_id, to_json(finding))


def _alarm_key(peer_id: str, key: str) -> str:
    return f"alarm:{key}@{peer_id}"


def _body(cause: Cause) -> dict[str, Any]:
    return {**to_json(cause.finding), "explains": len(cause.explains)}


def _substance(body: Mapping[str, Any]) -> str:
    """What of a finding is worth telling again: not how many signs it explains just now."""
    told = {name: body.get(name) for name in ("code", "peer_id", "severity", "message")}
    if body.get("code") == CHANGED:
        told["evidence"] = sorted(body.get("evidence", {}).items())
    return hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()


def _excused(diagnosis: Diagnosis) -> set[str]:
    causes = {cause.key for cause in diagnosis.causes if cause.expected}
    signs = (s for s in diagnosis.symptoms if s.alarm is not None and s.expected)
    return causes | {_alarm_key(sign.peer_id, sign.key) for sign in signs}


def _cannot_tell(known: Standing, silent: set[str]) -> bool:
    if known.kind == "silence" or not silent:
        return False
    return known.peer_id is None or known.peer_id in silent


def _paused(known: Standing, found: Diagnosed) -> bool:
    """Drift is not looked for while a job runs, so it is not cleared either."""
    return found.diagnosis.running is not None and known.key.startswith(f"{CHANGED}@")


def _event(entry: Standing, alarm: str, finding: str) -> NewClusterEvent:
    return NewClusterEvent(alarm if entry.kind == "alarm" else finding, entry.body)
