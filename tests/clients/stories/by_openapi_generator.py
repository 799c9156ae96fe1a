"""Plan, start, watch: with the Python client of openapi-generator. Argument: a file of needs."""

import json
import sys
import uuid
from pathlib import Path

from openapi_client import (
    ApiClient,
    AttestationCreate,
    ClusterCreate,
    ClustersApi,
    Configuration,
    CreateClusterPlan,
    CreateClusterStart,
    CredentialCreate,
    CredentialsApi,
    EventsApi,
    JobsApi,
    PeerCreate,
    PeersApi,
    PlansApi,
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
        cluster = ClustersApi(client).create_cluster(ClusterCreate(name=needs["cluster"]))

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
        while job.state not in ("succeeded", "failed", "cancelled"):
            job = jobs.get_job(job.id, wait=30)
        events = EventsApi(client).list_job_events(job.id, limit=1000)
        result = jobs.get_job_result(job.id)
    assert job.state == "succeeded", job.failure
    assert [event.seq for event in events.items] == list(range(1, job.last_event_seq + 1))
    print(f"{result.state}: {result.steps_done} of {result.steps_total} steps")


main()
