"""A document of evidence of a small job, made without a database."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.terms import Decision, Terms, Verdict
from app.security.chain import BEGINNING, canonical, link
from app.security.signing import SigningKey, new_key, sign
from app.security.vault import Vault
from app.services.evidence_document import Facts, document_of, manifest_of, sections_of
from app.services.evidence_records import ChainedEvent, JobObservation, Moment, TranscriptRow
from app.services.plan_document import to_json
from app.services.records import Backup
from tests.api.observations import observation
from tests.support.engine_bench import Bench, new_job, statement, step

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
VAULT = Vault({"k1": bytes(range(32))})
KEY = new_key(VAULT, NOW)


async def facts(*, ended: bool = True) -> Facts:
    """Of a job with a gate, an act and, where it has not ended, a gate nobody has passed."""
    bench = Bench()
    steps = [step("gate", "attest", attestation="open"), step("a"), step("b")]
    if not ended:
        steps.append(step("late", "attest", attestation="never"))
    details = {"change": {"number": "CHG0031234"}, "correlation": {"id": "9d38"}}
    job = await bench.run(new_job(*steps, attestations=(statement("open"),), details=details))
    chained, before = [], BEGINNING
    for event in await bench.journal.events(job.id):
        row = {"job_id": job.id, "seq": event.seq, "at": event.at.isoformat(), "type": event.type}
        hashed = json.dumps({**row, "data": to_json(event.data)}, sort_keys=True)
        before = link(before, hashed.encode())
        chained.append(ChainedEvent(event, hashed, before.hex()))
    rows, before = [], BEGINNING
    for seq, (direction, text) in enumerate([("sent", "xStatus"), ("received", "Name: e")], 1):
        body = {"job_id": job.id, "seq": seq, "direction": direction, "text": text, "size": 7}
        body |= {"at": NOW.isoformat(), "peer_id": "peer-1", "step": "a", "transport": "ssh"}
        body |= {"duration_ms": 1.5, "outcome": "ok", "exchange": "n:1", "digest": "0"}
        before = link(before, canonical(body))
        rows.append(TranscriptRow(seq, body, before.hex()))
    view = replace(observation(), peer_id="peer-1", observed_at=NOW)
    later = replace(view, system_name="other", observed_at=NOW + timedelta(minutes=5))
    seen = [
        JobObservation(job.id, moment, "peer-1", one.observed_at, to_json(one))
        for moment, one in ((Moment.BEFORE, view), (Moment.AFTER, later))
    ]
    backup = Backup("backup-1", job.id, "peer-1", "a", "b.tar.gz", 10, "ab" * 32, NOW)
    decision = Decision("key-2", Verdict.APPROVED, "Ben", "read it", job.plan.digest, NOW)
    job = replace(job, decisions=(decision,), terms=Terms(approvals=1, four_eyes=True))
    return Facts(job, chained, rows, seen, [backup], "1.0")


def signed(made: Facts, key: SigningKey = KEY, vault: Vault = VAULT) -> dict[str, Any]:
    """The document as a reader gets it: written and read again."""
    sections = sections_of(made)
    manifest = manifest_of(sections, NOW, complete=made.job.state.ended)
    document = document_of(manifest, sections, sign(canonical(manifest), key, vault))
    read: dict[str, Any] = json.loads(canonical(document))
    return read
