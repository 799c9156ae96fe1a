"""Checking a document of evidence, offline: with nothing but the document and a trusted key.

Every check looks at one thing and says in one line what it found. Nothing here trusts the document:
it may come from anywhere and hold anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.security.chain import BEGINNING, canonical, link
from app.security.signing import signed_by, verifies
from app.services.evidence_document import FORMAT, differences, section_digest
from app.services.evidence_records import JobObservation, Moment
from app.services.plan_document import plan_from_json

_ENDS = {"succeeded", "failed", "cancelled"}


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was checked."""

    name: str
    good: bool
    found: str


class _Wrong(Exception):
    """What is wrong, in one line."""


def check(document: Any, keys: Mapping[str, bytes]) -> tuple[Checked, ...]:
    """Every check of the document; `keys` are the public keys that are trusted, by id."""
    return tuple(_checked(document, keys))


def _checked(document: Any, keys: Mapping[str, bytes]) -> Iterator[Checked]:
    rules: tuple[tuple[str, Callable[[], str]], ...] = (
        ("format", lambda: _format(document)),
        ("signature", lambda: _signature(document, keys)),
        ("sections", lambda: _sections(document)),
        ("plan", lambda: _plan(document["sections"])),
        ("steps", lambda: _steps(document["sections"])),
        ("events", lambda: _events(document["sections"])),
        ("transcript", lambda: _transcript(document["sections"])),
        ("observations", lambda: _observations(document["sections"])),
        ("end", lambda: _end(document)),
    )
    for name, rule in rules:
        try:
            yield Checked(name, True, rule())
        except _Wrong as wrong:
            yield Checked(name, False, str(wrong))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as bad:
            yield Checked(name, False, f"is not as evidence is written ({type(bad).__name__})")
        if name == "format" and not isinstance(document, dict):
            return


def _format(document: Any) -> str:
    if not isinstance(document, dict) or not isinstance(document.get("manifest"), dict):
        raise _Wrong("this is no document of evidence")
    manifest = document["manifest"]
    if manifest.get("format") != FORMAT:
        raise _Wrong(f"the format is not {FORMAT}")
    if document["digest"] != section_digest(manifest):
        raise _Wrong("the manifest was altered: its digest does not fit")
    part = "" if manifest["complete"] else ", PARTIAL: the job had not ended"
    return f"{FORMAT}, job {manifest['job_id']}, made {manifest['made_at']}{part}"


def _signature(document: Any, keys: Mapping[str, bytes]) -> str:
    if not keys:
        raise _Wrong("not checked: give the key you trust with --key")
    payload = canonical(document["manifest"])
    named = [signed_by(signature) for signature in document["signatures"]]
    for signature, key_id in zip(document["signatures"], named, strict=True):
        if key_id in keys and verifies(payload, signature, keys[key_id]):
            return f"by key {key_id}, which you trust"
    if not any(key_id in keys for key_id in named):
        raise _Wrong(f"made by a key you do not trust ({', '.join(named) or 'none'})")
    raise _Wrong("the manifest was altered, or the signature: they do not fit")


def _sections(document: Any) -> str:
    stated, sections = document["manifest"]["sections"], document["sections"]
    if set(stated) != set(sections):
        odd = ", ".join(sorted(set(stated) ^ set(sections)))
        raise _Wrong(f"sections were added or taken out: {odd}")
    altered = [name for name in stated if section_digest(sections[name]) != stated[name]]
    if altered:
        raise _Wrong(f"altered: {', '.join(sorted(altered))}")
    if sections["job"]["id"] != document["manifest"]["job_id"]:
        raise _Wrong("the manifest is of another job")
    return f"{len(stated)} sections as the manifest states them"


def _plan(sections: Any) -> str:
    plan = sections["plan"]
    made = plan_from_json(plan)
    if made.digest != plan["digest"]:
        raise _Wrong("the plan is not the one of its digest")
    if made.cluster_id != sections["job"]["cluster_id"]:
        raise _Wrong("the plan is of another cluster")
    return f"{made.procedure}, digest {made.digest}"


def _steps(sections: Any) -> str:
    planned = [step["key"] for stage in sections["plan"]["stages"] for step in stage["steps"]]
    if [step["key"] for step in sections["steps"]] != planned:
        raise _Wrong("the steps are not those of the plan")
    over = sum(step["state"] in {"done", "skipped"} for step in sections["steps"])
    return f"{over} of {len(planned)} over"


def _events(sections: Any) -> str:
    before, job_id = BEGINNING, sections["job"]["id"]
    for number, event in enumerate(sections["events"], start=1):
        before = link(before, event["hashed"].encode())
        if event["seq"] != number:
            raise _Wrong(f"event {number} is missing")
        if event["hash"] != before.hex():
            raise _Wrong(f"event {number} was altered, or one before it taken out")
        row = json.loads(event["hashed"])
        told = {"job_id": job_id, **{k: event[k] for k in ("seq", "at", "type", "data")}}
        row["at"], told["at"] = _moment(row["at"]).isoformat(), _moment(told["at"]).isoformat()
        if canonical(row) != canonical(told):
            raise _Wrong(f"event {number} does not say what was hashed")
    if len(sections["events"]) != sections["job"]["last_event_seq"]:
        raise _Wrong("the last events are missing")
    return f"{len(sections['events'])} events, each hangs on the one before it"


def _transcript(sections: Any) -> str:
    before = BEGINNING
    for number, entry in enumerate(sections["transcript"], start=1):
        body = {name: value for name, value in entry.items() if name != "hash"}
        before = link(before, canonical(body))
        if entry["seq"] != number or entry["job_id"] != sections["job"]["id"]:
            raise _Wrong(f"entry {number} is missing")
        if entry["hash"] != before.hex():
            raise _Wrong(f"entry {number} was altered, or one before it taken out")
    return f"{len(sections['transcript'])} entries, each hangs on the one before it"


def _observations(sections: Any) -> str:
    seen = _seen(sections["job"]["id"], sections["observations"])
    if differences(seen) != sections["differences"]:
        raise _Wrong("the differences are not those between the observations")
    moments = [one.moment for one in seen]
    before, after = moments.count(Moment.BEFORE), moments.count(Moment.AFTER)
    return f"of {before} peers before, of {after} after the job"


def _end(document: Any) -> str:
    sections, complete = document["sections"], document["manifest"]["complete"]
    state = sections["job"]["state"]
    if complete != (state in _ENDS):
        raise _Wrong("whether the job had ended is told in two ways")
    last = sections["events"][-1]["type"] if sections["events"] else ""
    if complete and last != f"job.{state}":
        raise _Wrong(f"the job {state}, but the last event is {last or 'none'}")
    return f"the job {state}" if complete else f"the job was {state}"


def _seen(job_id: str, observations: Sequence[Mapping[str, Any]]) -> tuple[JobObservation, ...]:
    return tuple(
        JobObservation(
            job_id=job_id,
            moment=Moment(one["moment"]),
            peer_id=one["peer_id"],
            observed_at=_moment(one["view"]["observed_at"]),
            view=one["view"],
            late=one["late"],
        )
        for one in observations
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
