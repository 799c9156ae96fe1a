"""The evidence of a job as one document: what is in it, and what about it is signed.

Sections hold the facts. The manifest names the digest of each section (SHA-256 over its canonical
JSON, RFC 8785), and the manifest is what is signed: so a check can say which section was altered.
Pure: the same facts make the same document, but for the signature's time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.engine.records import JobRecord, failure_data
from app.observability.spans import TRACE
from app.security.chain import canonical
from app.services.evidence_records import (
    ChainedEvent,
    JobObservation,
    Moment,
    TranscriptRow,
)
from app.services.plan_document import to_json, view_difference
from app.services.records import Backup

FORMAT = "clusterway-evidence/1"
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is known of a job."""

    job: JobRecord
    events: Sequence[ChainedEvent]
    transcript: Sequence[TranscriptRow]
    observations: Sequence[JobObservation]
    backups: Sequence[Backup]
    version: str
    """Of the service that made the document."""


def sections_of(facts: Facts) -> Document:
    """The sections, by name."""
    job = facts.job
    return {
        "service": {"name": "clusterway", "version": facts.version},
        "job": {
            "id": job.id,
            "cluster_id": job.cluster_id,
            "procedure": job.plan.procedure,
            "state": job.state.value,
            "requested_by": job.requested_by,
            "created_at": to_json(job.created_at),
            "started_at": to_json(job.started_at),
            "finished_at": to_json(job.finished_at),
            "failure": failure_data(job.failure),
            "peers": list(job.peers),
            "last_event_seq": job.last_event_seq,
        },
        "change": {name: to_json(said) for name, said in job.details.items() if name != TRACE},
        "plan": {**to_json(job.plan), "digest": job.plan.digest},
        "steps": [to_json(step) for step in job.steps],
        "attestations": [to_json(made) for _, made in sorted(job.attestations.items())],
        "approvals": {
            "terms": to_json(job.terms),
            "decisions": [to_json(decision) for decision in job.decisions],
        },
        "observations": [_observation(seen) for seen in facts.observations],
        "differences": differences(facts.observations),
        "events": [_event(chained) for chained in facts.events],
        "transcript": [{**row.body, "hash": row.hash} for row in facts.transcript],
        "backups": [_backup(backup) for backup in facts.backups],
    }


def differences(observations: Sequence[JobObservation]) -> Document:
    """Peer id -> fact -> what it was before and after, where it differs."""
    seen: dict[str, dict[Moment, Mapping[str, Any]]] = {}
    for one in observations:
        seen.setdefault(one.peer_id, {})[one.moment] = one.view
    return {
        peer: {
            fact: {"before": before, "after": after}
            for fact, (before, after) in view_difference(
                moments[Moment.BEFORE], moments[Moment.AFTER]
            ).items()
        }
        for peer, moments in sorted(seen.items())
        if len(moments) == len(Moment)
    }


def manifest_of(sections: Mapping[str, Any], made_at: datetime, *, complete: bool) -> Document:
    """What is signed. `complete`: the job had ended when this was made."""
    return {
        "format": FORMAT,
        "job_id": sections["job"]["id"],
        "made_at": made_at.isoformat(),
        "complete": complete,
        "sections": {name: section_digest(section) for name, section in sections.items()},
    }


def section_digest(section: Any) -> str:
    """SHA-256 over the canonical JSON, hexadecimal."""
    return hashlib.sha256(canonical(section)).hexdigest()


def document_of(
    manifest: Mapping[str, Any], sections: Mapping[str, Any], signature: Mapping[str, str]
) -> Document:
    """The whole document. `digest` is that of the manifest, so of everything."""
    return {
        "manifest": dict(manifest),
        "digest": section_digest(manifest),
        "signatures": [dict(signature)],
        "sections": dict(sections),
    }


def _event(chained: ChainedEvent) -> Document:
    event = chained.event
    return {
        "seq": event.seq,
        "at": to_json(event.at),
        "type": event.type,
        "data": dict(event.data),
        "hashed": chained.hashed,
        "hash": chained.hash,
    }


def _observation(seen: JobObservation) -> Document:
    return {
        "moment": seen.moment.value,
        "peer_id": seen.peer_id,
        "late": seen.late,
        "view": dict(seen.view),
    }


def _backup(backup: Backup) -> Document:
    return {
        "id": backup.id,
        "peer_id": backup.peer_id,
        "step": backup.step_key,
        "file_name": backup.file_name,
        "size": backup.size,
        "sha256": backup.sha256,
        "created_at": to_json(backup.created_at),
    }
