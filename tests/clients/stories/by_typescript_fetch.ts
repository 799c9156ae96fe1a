// Plan, approve, apply, watch, keep the evidence: with the typescript-fetch client of openapi-generator. Argument: a file of needs.

import { readFileSync, writeFileSync } from "node:fs";
import {
  ApprovalsApi,
  ClustersApi,
  Configuration,
  CredentialsApi,
  EventsApi,
  EvidenceApi,
  JobsApi,
  PeerCreateFromJSON,
  PeersApi,
  PlansApi,
} from "./client";

const needs = JSON.parse(readFileSync(process.argv[2]!, "utf-8"));
const configuration = new Configuration({ basePath: needs.url, accessToken: needs.key });

const credential = await new CredentialsApi(configuration).createCredential({
  credentialCreate: { name: needs.cluster, username: needs.username, secret: needs.password },
});
for (const endpoint of needs.peer.endpoints) endpoint.credential_id = credential.id;
const peer = await new PeersApi(configuration).createPeer({
  peerCreate: PeerCreateFromJSON(needs.peer),
});
const cluster = await new ClustersApi(configuration).createCluster({
  clusterCreate: { name: needs.cluster, policy: { minimumApprovers: 1, fourEyes: true } },
});

const plan = await new PlansApi(configuration).planCreateCluster({
  clusterId: cluster.id,
  createClusterPlan: { primaryPeerId: peer.id },
});
const jobs = new JobsApi(configuration);
let job = await jobs.startCreateCluster({
  clusterId: cluster.id,
  idempotencyKey: crypto.randomUUID(),
  createClusterStart: {
    primaryPeerId: peer.id,
    planDigest: plan.digest,
    attestations: plan.attestationsNeeded.map(({ gate }) => ({
      gate,
      by: "A. Operator",
      reason: "CHG0031234",
    })),
  },
});
if (job.waiting?.reason !== "approval") throw new Error(`not waiting for people: ${job.state}`);
const approver = new ApprovalsApi(
  new Configuration({ basePath: needs.url, accessToken: needs.approver_key }),
);
const asked = await approver.getApproval({ approvalId: job.id });
await approver.approveApproval({
  approvalId: asked.id,
  decisionCreate: {
    planDigest: asked.planDigest,
    by: "B. Approver",
    reason: "Agreed in the CAB.",
  },
});
while (!["succeeded", "failed", "cancelled"].includes(job.state)) {
  job = await jobs.getJob({ jobId: job.id, wait: 30 });
}
const events = await new EventsApi(configuration).listJobEvents({ jobId: job.id, limit: 1000 });
const result = await jobs.getJobResult({ jobId: job.id });
const evidence = await new EvidenceApi(configuration).getJobEvidence({ jobId: job.id });
writeFileSync(needs.evidence, JSON.stringify(evidence));
if (!result) throw new Error("an ended job has no result");
if (job.state !== "succeeded") throw new Error(JSON.stringify(job.failure));
if (events.items.length !== job.lastEventSeq) throw new Error("an event is missing");
console.log(`${result.state}: ${result.stepsDone} of ${result.stepsTotal} steps`);
