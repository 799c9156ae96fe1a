"""Plan, approve, apply, watch, keep the evidence: with the client of openapi-python-client.

Argument: a file of needs.
"""

import json
import sys
import uuid
from pathlib import Path
from typing import TypeVar

from clusterway_client import AuthenticatedClient
from clusterway_client.api.approvals import approve_approval, get_approval
from clusterway_client.api.clusters import create_cluster
from clusterway_client.api.credentials import create_credential
from clusterway_client.api.events import list_job_events
from clusterway_client.api.evidence import get_job_evidence
from clusterway_client.api.jobs import get_job, get_job_result, start_create_cluster
from clusterway_client.api.peers import create_peer
from clusterway_client.api.plans import plan_create_cluster
from clusterway_client.models import (
    AttestationCreate,
    ClusterCreate,
    CreateClusterPlan,
    CreateClusterStart,
    CredentialCreate,
    DecisionCreate,
    PeerCreate,
    PolicyPatch,
    Problem,
)

T = TypeVar("T")


def good(answer: T | Problem | None) -> T:
    """The answer. A problem ends the story with its own words."""
    if answer is None or isinstance(answer, Problem):
        raise SystemExit(f"refused: {answer}")
    return answer


def main() -> None:
    needs = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    client = AuthenticatedClient(needs["url"], needs["key"], timeout=None)
    secret = CredentialCreate(
        name=needs["cluster"], username=needs["username"], secret=needs["password"]
    )
    credential = good(create_credential.sync(client=client, body=secret))
    for endpoint in needs["peer"]["endpoints"]:
        endpoint["credential_id"] = credential.id
    peer = good(create_peer.sync(client=client, body=PeerCreate.from_dict(needs["peer"])))
    policy = PolicyPatch(minimum_approvers=1, four_eyes=True)
    declared = ClusterCreate(name=needs["cluster"], policy=policy)
    cluster = good(create_cluster.sync(client=client, body=declared))

    wanted = CreateClusterPlan(primary_peer_id=peer.id)
    plan = good(plan_create_cluster.sync(cluster.id, client=client, body=wanted))
    start = CreateClusterStart(
        primary_peer_id=peer.id,
        plan_digest=plan.digest,
        attestations=[
            AttestationCreate(gate=gate.gate, by="A. Operator", reason="CHG0031234")
            for gate in plan.attestations_needed
        ],
    )
    key = str(uuid.uuid4())
    job = good(
        start_create_cluster.sync(cluster.id, client=client, body=start, idempotency_key=key)
    )
    approver = AuthenticatedClient(needs["url"], needs["approver_key"], timeout=None)
    asked = good(get_approval.sync(job.id, client=approver))
    said = DecisionCreate(
        plan_digest=asked.plan_digest, by="B. Approver", reason="Agreed in the CAB."
    )
    good(approve_approval.sync(asked.id, client=approver, body=said))
    while job.state not in ("succeeded", "failed", "cancelled"):
        job = good(get_job.sync(job.id, client=client, wait=30))
    events = good(list_job_events.sync(job.id, client=client, limit=1000))
    result = good(get_job_result.sync(job.id, client=client))
    evidence = good(get_job_evidence.sync(job.id, client=client))
    assert job.state == "succeeded", job.failure
    assert [event.seq for event in events.items] == list(range(1, job.last_event_seq + 1))
    Path(needs["evidence"]).write_text(json.dumps(evidence.to_dict()), encoding="utf-8")
    print(f"{result.state}: {result.steps_done} of {result.steps_total} steps")


main()
