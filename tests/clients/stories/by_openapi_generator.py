"""Plan, approve, apply, watch, keep the evidence: with the Python client of openapi-generator.

Argument: a file of needs.
"""

import json
import sys
import uuid
from pathlib import Path

from openapi_client import (
    ApiClient,
    ApprovalsApi,
    AttestationCreate,
    ClusterCreate,
    ClustersApi,
    Configuration,
    CreateClusterPlan,
    CreateClusterStart,
    CredentialCreate,
    CredentialsApi,
    DecisionCreate,
    EventsApi,
    EvidenceApi,
    JobsApi,
    PeerCreate,
    PeersApi,
    PlansApi,
    PolicyPatch,
)


def main() -> None:
    needs = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    configuration = Configuration(host=needs["url"], access_token=needs["key"])
    with ApiClient(configuration) as client:
        credential = CredentialsApi(client).create_credential(
            CredentialCreate(
                name=needs["cluster"], username=needs["username"], secret=needs["password"]
            )
        )
        for endpoint in needs["peer"]["endpoints"]:
            endpoint["credential_id"] = credential.id
        peer = PeersApi(client).create_peer(PeerCreate.model_validate(needs["peer"]))
        cluster = ClustersApi(client).create_cluster(
            ClusterCreate(
                name=needs["cluster"], policy=PolicyPatch(minimum_approvers=1, four_eyes=True)
            )
        )

        plan = PlansApi(client).plan_create_cluster(
            cluster.id, CreateClusterPlan(primary_peer_id=peer.id)
        )
        start = CreateClusterStart(
            primary_peer_id=peer.id,
            plan_digest=plan.digest,
            attestations=[
                AttestationCreate(gate=gate.gate, by="A. Operator", reason="CHG0031234")
                for gate in plan.attestations_needed
            ],
        )
        jobs = JobsApi(client)
        job = jobs.start_create_cluster(cluster.id, str(uuid.uuid4()), start)
        assert job.waiting is not None, job.state
        assert job.waiting.reason == "approval", job.waiting
        other = Configuration(host=needs["url"], access_token=needs["approver_key"])
        with ApiClient(other) as approver:
            asked = ApprovalsApi(approver).get_approval(job.id)
            said = DecisionCreate(
                plan_digest=asked.plan_digest, by="B. Approver", reason="Agreed in the CAB."
            )
            ApprovalsApi(approver).approve_approval(asked.id, said)
        while job.state not in ("succeeded", "failed", "cancelled"):
            job = jobs.get_job(job.id, wait=30)
        events = EventsApi(client).list_job_events(job.id, limit=1000)
        result = jobs.get_job_result(job.id)
        evidence = EvidenceApi(client).get_job_evidence(job.id)
    assert job.state == "succeeded", job.failure
    assert [event.seq for event in events.items] == list(range(1, job.last_event_seq + 1))
    Path(needs["evidence"]).write_text(json.dumps(evidence), encoding="utf-8")
    print(f"{result.state}: {result.steps_done} of {result.steps_total} steps")


main()
