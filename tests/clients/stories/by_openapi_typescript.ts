// Plan, approve, apply, watch, keep the evidence: with openapi-fetch over the types of openapi-typescript. Argument: a file of needs.

import { readFileSync, writeFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { paths } from "./clusterway";

const needs = JSON.parse(readFileSync(process.argv[2]!, "utf-8"));
const withKey = (key: string) =>
  createClient<paths>({ baseUrl: needs.url, headers: { Authorization: `Bearer ${key}` } });
const api = withKey(needs.key);

function good<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(`refused: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

const credential = good(
  await api.POST("/v1/credentials", {
    body: {
      name: needs.cluster,
      kind: "password",
      username: needs.username,
      secret: needs.password,
    },
  }),
);
for (const endpoint of needs.peer.endpoints) endpoint.credential_id = credential.id;
const peer = good(await api.POST("/v1/peers", { body: needs.peer }));
const cluster = good(
  await api.POST("/v1/clusters", {
    body: { name: needs.cluster, policy: { minimum_approvers: 1, four_eyes: true } },
  }),
);

const inCluster = { path: { cluster_id: cluster.id } };
const plan = good(
  await api.POST("/v1/clusters/{cluster_id}/procedures/create-cluster/plan", {
    params: inCluster,
    body: { primary_peer_id: peer.id },
  }),
);
let job = good(
  await api.POST("/v1/clusters/{cluster_id}/procedures/create-cluster", {
    params: { ...inCluster, header: { "Idempotency-Key": crypto.randomUUID() } },
    body: {
      primary_peer_id: peer.id,
      plan_digest: plan.digest,
      attestations: plan.attestations_needed.map(({ gate }) => ({
        gate,
        by: "A. Operator",
        reason: "CHG0031234",
      })),
    },
  }),
);
const approver = withKey(needs.approver_key);
const ofApproval = { path: { approval_id: job.id } };
const asked = good(await approver.GET("/v1/approvals/{approval_id}", { params: ofApproval }));
good(
  await approver.POST("/v1/approvals/{approval_id}/approve", {
    params: ofApproval,
    body: { plan_digest: asked.plan_digest, by: "B. Approver", reason: "Agreed in the CAB." },
  }),
);
const ofJob = { path: { job_id: job.id } };
while (!["succeeded", "failed", "cancelled"].includes(job.state)) {
  job = good(await api.GET("/v1/jobs/{job_id}", { params: { ...ofJob, query: { wait: 30 } } }));
}
const events = good(
  await api.GET("/v1/jobs/{job_id}/events", { params: { ...ofJob, query: { limit: 1000 } } }),
);
const result = good(await api.GET("/v1/jobs/{job_id}/result", { params: ofJob }));
const evidence = good(await api.GET("/v1/jobs/{job_id}/evidence", { params: ofJob }));
writeFileSync(needs.evidence, JSON.stringify(evidence));
if (job.state !== "succeeded") throw new Error(JSON.stringify(job.failure));
if (typeof events === "string") throw new Error("a stream was not asked for");
if (events.items.length !== job.last_event_seq) throw new Error("an event is missing");
console.log(`${result.state}: ${result.steps_done} of ${result.steps_total} steps`);
