"""Evidence of a job in the words of the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from app.api.v1.schemas.plans import DIGEST
from app.api.v1.schemas.words import JOB, PEER, TIME, Told
from app.services.evidence_records import JobObservation, Moment, TranscriptRow
from app.services.plan_document import view_difference

ENTRY: dict[str, Any] = {
    "job_id": JOB,
    "seq": 2,
    "at": TIME,
    "peer_id": PEER,
    "step": "look-exp1",
    "transport": "ssh",
    "exchange": "5f0c3a6d1b7e9a20:1",
    "direction": "received",
    "text": "SystemUnit Software Version: X8.2",
    "digest": DIGEST,
    "size": 33,
    "outcome": "ok",
    "duration_ms": 14.2,
    "hash": DIGEST,
}


DOCUMENT: dict[str, Any] = {
    "manifest": {
        "format": "clusterway-evidence/1",
        "job_id": JOB,
        "made_at": TIME,
        "complete": True,
        "sections": {"events": DIGEST},
    },
    "digest": DIGEST,
    "signatures": [{"protected": "eyJhbGciOiJFZERTQSJ9", "signature": "hgyY0il_MGCjP0Jzl..."}],
    "sections": {"events": []},
}


class TranscriptEntry(Told):
    """One direction of one exchange with a peer, redacted."""

    model_config = ConfigDict(json_schema_extra={"examples": [ENTRY]})

    job_id: str = Field(description="The job.")
    seq: int = Field(description="From 1, without gaps.")
    at: datetime = Field(description="When it was sent or received.")
    peer_id: str = Field(description="The peer.")
    step: str = Field(description="The step; empty for the look at the job's end.")
    transport: str = Field(description="The access path.")
    exchange: str = Field(description="Joins `sent` and `received` of one exchange.")
    direction: str = Field(description="`sent` or `received`.")
    text: str = Field(
        description="What was said, in the transport's words; cut, or a reference to an earlier "
        "reply of the same digest, where it says so."
    )
    digest: str = Field(description="SHA-256 of the whole redacted text.")
    size: int = Field(description="Characters of the whole redacted text.")
    outcome: str = Field(
        description="Of `received`: `ok`, or what went wrong, such as `peer-unreachable`."
    )
    duration_ms: float | None = Field(description="Of `received`: milliseconds since `sent`.")
    hash: str = Field(description="Covers this entry and the hash before it.")


class TranscriptList(Told):
    """Some entries."""

    items: list[TranscriptEntry] = Field(description="In their order.")
    last_seq: int = Field(description="Send it as `after` for the next ones.", examples=[2])


class ObservedPeer(Told):
    """What a peer said of itself before and after a job."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "peer_id": PEER,
                    "before": {"system_name": "exp1", "observed_at": TIME},
                    "after": {"system_name": "exp1", "observed_at": TIME},
                    "late": False,
                    "changed": [
                        {"fact": "clustering.cluster_name", "before": "", "after": "c.example.com"}
                    ],
                }
            ]
        }
    )

    peer_id: str = Field(description="The peer.")
    before: dict[str, Any] | None = Field(
        description="Its answers when the job was made; `code` says why there are none."
    )
    after: dict[str, Any] | None = Field(description="Its answers when the job ended.")
    late: bool = Field(description="Whether `after` was taken when the job had ended already.")
    changed: list[FactChange] = Field(description="Facts that differ.")


class FactChange(Told):
    """A fact that differs."""

    fact: str = Field(description="Its path.", examples=["clustering.cluster_name"])
    before: str = Field(description="Before the job; empty where it was not there.")
    after: str = Field(description="After it; empty where it is not there any more.")


class JobObservations(Told):
    """The peers of a job, before and after."""

    job_id: str = Field(description="The job.", examples=[JOB])
    peers: list[ObservedPeer] = Field(description="By peer.")


class EvidenceKey(Told):
    """A public key (RFC 8037)."""

    kty: str = Field(description="Key type.", examples=["OKP"])
    crv: str = Field(description="Curve.", examples=["Ed25519"])
    alg: str = Field(description="Algorithm.", examples=["EdDSA"])
    use: str = Field(description="Use.", examples=["sig"])
    kid: str = Field(description="Its id, made from the key itself.", examples=["0f3ac1b2d4e5f607"])
    x: str = Field(
        description="The key, base64url.", examples=["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"]
    )


class EvidenceKeys(Told):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[EvidenceKey] = Field(description="Oldest first.")


def entry_read(row: TranscriptRow) -> TranscriptEntry:
    """As a reader sees it."""
    return TranscriptEntry(**row.body, hash=row.hash)


def observations_read(job_id: str, found: tuple[JobObservation, ...]) -> JobObservations:
    """Before and after side by side, by peer."""
    seen: dict[str, dict[Moment, JobObservation]] = {}
    for one in found:
        seen.setdefault(one.peer_id, {})[one.moment] = one
    return JobObservations(
        job_id=job_id, peers=[_peer(peer, moments) for peer, moments in sorted(seen.items())]
    )


def _peer(peer_id: str, moments: dict[Moment, JobObservation]) -> ObservedPeer:
    before, after = moments.get(Moment.BEFORE), moments.get(Moment.AFTER)
    changed = view_difference(before.view, after.view) if before and after else {}
    return ObservedPeer(
        peer_id=peer_id,
        before=None if before is None else dict(before.view),
        after=None if after is None else dict(after.view),
        late=after is not None and after.late,
        changed=[FactChange(fact=f, before=b, after=a) for f, (b, a) in changed.items()],
    )


ObservedPeer.model_rebuild()
