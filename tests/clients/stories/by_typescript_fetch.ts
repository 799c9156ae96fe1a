// Plan, start, watch: with the typescript-fetch client of openapi-generator. Argument: a file of needs.

import { readFileSync } from "node:fs";
import {
  ClustersApi,
  Configuration,
  CredentialsApi,
  EventsApi,
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
  clusterCreate: { name: needs.cluster },
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
while (!["succeeded", "failed", "cancelled"].includes(job.state)) {
  job = await jobs.getJob({ jobId: job.id, wait: 30 });
}
const events = await new EventsApi(configuration).listJobEvents({ jobId: job.id, limit: 1000 });
const result = await jobs.getJobResult({ jobId: job.id });
if (!result) throw new Error("an ended job has no result");
if (job.state !== "succeeded") throw new Error(JSON.stringify(job.failure));
if (events.items.length !== job.lastEventSeq) throw new Error("an event is missing");
console.log(`${result.state}: ${result.stepsDone} of ${result.stepsTotal} steps`);
