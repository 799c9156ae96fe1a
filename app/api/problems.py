"""Every problem the API can answer with, in one registry (RFC 9457).

A code here has a status, a title, a page (`/problems/<code>`) and a place in docs/problems.md, both
made from this file. A code that is not here cannot be answered: a test looks for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem. `retryable`: the same request may succeed later, unchanged."""

    code: str
    status: int
    title: str
    meaning: str
    remedy: str
    retryable: bool = False


_TYPES = (
    ProblemType(
        "unauthenticated",
        401,
        "Who is calling is not known",
        "The request carries no API key and no token, or one that is unknown, has expired or is "
        "not meant for this service; `detail` says what is wrong with a token.",
        "Send `Authorization: Bearer <key or token>` or `X-API-Key: <key>`.",
    ),
    ProblemType(
        "forbidden",
        403,
        "The key may not do this",
        "The API key is good, and does not hold the scope this operation asks for, or it is "
        "limited to some clusters and this reaches beyond them.",
        "Use a key with the scope named in `scope`, or one without that limit.",
    ),
    ProblemType(
        "not-found",
        404,
        "There is nothing here",
        "No resource has this address; it never existed or was deleted.",
        "Check the id, or list the resources.",
    ),
    ProblemType(
        "method-not-allowed",
        405,
        "The resource does not know this method",
        "The address exists, but not for this method. `Allow` lists those it knows.",
        "Use one of the methods in `Allow`.",
    ),
    ProblemType(
        "backup-needed",
        409,
        "The backup is still needed",
        "A backup is not deleted while it is the only one of its peer, while the job that took it "
        "has not ended, or while that job is on hold.",
        "Take a newer backup, wait for the job's end, or take the hold back; then delete it.",
    ),
    ProblemType(
        "cluster-busy",
        409,
        "Another job is at work on this cluster",
        "One job at a time changes a cluster. `job_id` and `job_url` name the one at work.",
        "Wait until it ends, or start with `?queue=true` to wait in line.",
        retryable=True,
    ),
    ProblemType(
        "peer-busy",
        409,
        "Another job is at work on one of the peers",
        "A job holds a peer that this request names: nobody else changes it while it is at work.",
        "Wait until it ends.",
        retryable=True,
    ),
    ProblemType(
        "plan-drifted",
        409,
        "The cluster has changed since the plan was made",
        "The peers were observed again before starting, and the plan would now be another one. "
        "`errors` holds the differences. Nothing was changed.",
        "Read a new plan and start that.",
    ),
    ProblemType(
        "plan-blocked",
        409,
        "The plan has findings that forbid starting",
        "`errors` holds each blocker with the guide's requirement and the remedy. "
        "Nothing was changed.",
        "Follow the remedies, then start again.",
    ),
    ProblemType(
        "plan-expired",
        409,
        "The plan is too old",
        "A plan can be started only for a limited time after it was made.",
        "Read a new plan and start that.",
    ),
    ProblemType(
        "plan-mismatch",
        422,
        "The request says something else than the plan",
        "`plan_digest` names a plan of another procedure or cluster, or one that was made with "
        "other parameters; `errors` says which.",
        "Send the parameters of the plan, or plan anew.",
    ),
    ProblemType(
        "illegal-transition",
        409,
        "The job's state does not allow this",
        "What was asked does not fit the state the job is in; `legal` lists what does.",
        "Read the job and choose again.",
    ),
    ProblemType(
        "change-required",
        422,
        "A change record is required",
        "The policy of the cluster asks every start for the number of the caller's change record. "
        "Nothing was changed.",
        "Send `change` with a `number`, or have the cluster's policy changed.",
    ),
    ProblemType(
        "skip-refused",
        409,
        "This step may not be skipped",
        "Skipping never replaces what protects a cluster: a gate is attested, a backup that a "
        "later step needs is taken, what peers say is heard; and a step that acts is skipped only "
        "on an operator's word that its effect is settled.",
        "Follow `detail`; or retry or cancel the job.",
    ),
    ProblemType(
        "approval-closed",
        409,
        "There is nothing to decide",
        "Nobody has to approve this job, or its request for approval is decided, expired or "
        "withdrawn.",
        "Read the job; where it ended without having begun, start a new one.",
    ),
    ProblemType(
        "approval-mismatch",
        409,
        "The decision is about another plan",
        "A decision names the digest of the plan that was read, and the job carries out a plan of "
        "another digest. Nothing was decided.",
        "Read the plan of this job and decide with its digest.",
    ),
    ProblemType(
        "already-decided",
        409,
        "You have decided already",
        "Each approver decides once on a job, and keeps to it.",
        "Read the job's approvals. A decision that was wrong is mended by cancelling the job.",
    ),
    ProblemType(
        "four-eyes",
        403,
        "Somebody else has to decide",
        "The job was started with four eyes: whoever asked for it does not approve or reject it.",
        "Have another person decide; whoever started the job can cancel it.",
    ),
    ProblemType(
        "name-taken",
        409,
        "The name is in use",
        "Names are unique without regard to case.",
        "Choose another name.",
    ),
    ProblemType(
        "address-taken",
        409,
        "The address is in use",
        "One appliance is registered once.",
        "Use the peer that is registered with this address.",
    ),
    ProblemType(
        "address-refused",
        409,
        "The service may not connect to this address",
        "The address is outside the networks the operator of this service allows.",
        "Ask the operator, who sets CLUSTERWAY_PEER_NETWORKS.",
    ),
    ProblemType(
        "credential-in-use",
        409,
        "The credential is in use",
        "Peers or clusters refer to the credential.",
        "Give them another credential first.",
    ),
    ProblemType(
        "window-in-use",
        409,
        "The window is in use",
        "The policy of a cluster names the window, or a job that has not ended runs in it; "
        "`errors` says which.",
        "Take it out of the policies, and wait for the jobs or cancel them.",
    ),
    ProblemType(
        "window-never-opens",
        409,
        "There is no window for this job",
        "Within ten years no window of the cluster, outside of change freezes and inside the "
        "change window, stays open for as long as the job must go on without a stop. "
        "Nothing was changed.",
        "Give the cluster a longer or later window, or correct the change window.",
    ),
    ProblemType(
        "schedule-stopped",
        409,
        "The schedule was stopped for good",
        "A stopped schedule stays readable and starts nothing any more.",
        "Make a new schedule.",
    ),
    ProblemType(
        "peer-in-cluster",
        409,
        "The peer is a member of a cluster",
        "A member's address cannot be changed and a member cannot be deleted here, because the "
        "appliances of the cluster would still know it.",
        "Remove the peer from its cluster by a job first.",
    ),
    ProblemType(
        "cluster-has-members",
        409,
        "The cluster has members",
        "A cluster with members cannot be deleted, because its appliances would stay clustered.",
        "Disband the cluster by a job first.",
    ),
    ProblemType(
        "import-refused",
        409,
        "The peers are not one whole cluster",
        "A cluster is imported when every peer that is listed is registered, was read, and says "
        "the same of name, list and primary. `errors` holds each difference with its remedy, and "
        "for a peer that is not registered the bodies to register it with. Nothing was recorded, "
        "and nothing was changed on any peer.",
        "Follow the remedies, then import again.",
    ),
    ProblemType(
        "webhook-disabled",
        409,
        "The subscription is disabled",
        "The receiver said 410, or failed for days; `state_reason` of the subscription says which. "
        "Nothing is sent to it.",
        "Mend the receiver, send it a test, then enable the subscription.",
    ),
    ProblemType(
        "webhook-secrets-full",
        409,
        "Too many signing secrets are good at once",
        "Each rotation adds a secret, and the older ones sign until their overlap is over.",
        "Wait until one expires, or rotate with `overlap_seconds` 0, which ends all older ones.",
    ),
    ProblemType(
        "too-many-webhooks",
        409,
        "There are too many subscriptions",
        "Every event is compared with every subscription, so their number is bounded.",
        "Delete a subscription that nobody needs, or let one receiver pass events on.",
    ),
    ProblemType(
        "last-admin-key",
        409,
        "Nobody could let others in any more",
        "At least one key with the scope admin, for all clusters, from everywhere and without an "
        "end must be left.",
        "Make another such key first, or use `clusterway keys` on the service's machine.",
    ),
    ProblemType(
        "idempotency-in-flight",
        409,
        "The first request with this key has not ended",
        "Another request with the same Idempotency-Key is being worked on.",
        "Send the request again after a moment.",
        retryable=True,
    ),
    ProblemType(
        "idempotency-key-reused",
        422,
        "The Idempotency-Key stands for another request",
        "The key was used with another body, or what it made is deleted.",
        "Use a new key for a new request.",
    ),
    ProblemType(
        "idempotency-key-required",
        400,
        "An Idempotency-Key is required",
        "Starting a job needs an `Idempotency-Key` header, so that a request that is sent twice "
        "starts one job.",
        "Send a header `Idempotency-Key` of 1 to 128 visible characters.",
    ),
    ProblemType(
        "precondition-failed",
        412,
        "The resource has changed",
        "`If-Match` names a version that is not the present one.",
        "Read the resource again, decide anew, and send its new `ETag`.",
    ),
    ProblemType(
        "body-too-slow",
        408,
        "The request body took too long",
        "The body did not arrive in time. Nothing was changed.",
        "Send the request again over a better connection.",
        retryable=True,
    ),
    ProblemType(
        "unknown-host",
        421,
        "The service does not answer for this host",
        "The `Host` of the request is none of those the operator of this service has named.",
        "Use the address the operator gave you.",
    ),
    ProblemType(
        "too-many-requests",
        429,
        "Too many requests",
        "The key has used up its requests for the moment, or too many wrong keys came from this "
        "address. `RateLimit-Policy` says how many are allowed, `Retry-After` when to come back.",
        "Wait as many seconds as `Retry-After` says.",
        retryable=True,
    ),
    ProblemType(
        "headers-too-large",
        431,
        "The request has too many headers",
        "A request of this API needs a handful of header fields.",
        "Send fewer.",
    ),
    ProblemType(
        "body-too-large",
        413,
        "The request body is too large",
        "The body is larger than the service accepts.",
        "Send less.",
    ),
    ProblemType(
        "unsupported-media-type",
        415,
        "The body is not JSON",
        "Bodies are JSON and say so in `Content-Type`.",
        "Send `Content-Type: application/json`.",
    ),
    ProblemType(
        "invalid-request",
        422,
        "The request is not acceptable",
        "`errors` lists every field that is wrong, by JSON Pointer. Nothing was changed.",
        "Correct the fields and send the request again.",
    ),
    ProblemType(
        "invalid-cursor",
        422,
        "The cursor is not one of ours",
        "Cursors are opaque and come from `next_cursor` only.",
        "Begin without a cursor.",
    ),
    ProblemType(
        "precondition-required",
        428,
        "If-Match is required",
        "Changing or deleting needs `If-Match`, so that nobody overwrites what they have not seen.",
        "Read the resource and send its `ETag` as `If-Match`.",
    ),
    ProblemType(
        "internal-error",
        500,
        "The service failed",
        "An error of the service itself. It is in the log under the `request_id`.",
        "Report the `request_id` to the operator of this service.",
        retryable=True,
    ),
    ProblemType(
        "peer-not-observed",
        502,
        "The peer could not be read",
        "The appliance did not answer, or not in a way that can be trusted. `errors` says why.",
        "Follow the remedy in `errors`.",
        retryable=True,
    ),
    ProblemType(
        "peer-unreachable",
        502,
        "Nothing answered at the address",
        "No connection could be made.",
        "Check address, port, routing and firewall.",
        retryable=True,
    ),
    ProblemType(
        "token-keys-unavailable",
        503,
        "The keys to check the token are not to be had",
        "The token comes from an issuer whose key set cannot be fetched at the moment; nobody is "
        "let in on a token that cannot be checked. API keys work meanwhile.",
        "Send the request again later; the operator finds the reason in the log.",
        retryable=True,
    ),
    ProblemType(
        "storage-unavailable",
        503,
        "The database does not answer",
        "The service cannot reach its database at the moment. Where the connection broke at the "
        "very end, what was asked may have been written all the same.",
        "Send the request again after the seconds in `Retry-After`, with the same Idempotency-Key.",
        retryable=True,
    ),
)

PROBLEMS: Mapping[str, ProblemType] = {kind.code: kind for kind in _TYPES}


def type_uri(code: str) -> str:
    """The stable `type` of a problem, relative to the service."""
    return f"/problems/{code}"


AT_THE_DOOR = ("unknown-host", "headers-too-large")
"""Problems every address can answer with, before it is known what is asked."""
EVERYWHERE = (
    "unauthenticated",
    "forbidden",
    "method-not-allowed",
    "invalid-request",
    "too-many-requests",
    "internal-error",
    "storage-unavailable",
    "token-keys-unavailable",
)
"""Problems every operation of /v1 can answer with."""


def responses(*codes: str, everywhere: bool = True) -> dict[int | str, dict[str, Any]]:
    """The problem responses of an operation, as its OpenAPI declaration."""
    slow = ("body-too-slow",) if "body-too-large" in codes else ()
    wanted = dict.fromkeys((*codes, *slow, *(EVERYWHERE if everywhere else ()), *AT_THE_DOOR))
    declared: dict[int | str, dict[str, Any]] = {}
    for code in wanted:
        kind = PROBLEMS[code]
        entry = declared.setdefault(
            kind.status,
            {
                "description": "",
                "content": {
                    MEDIA_TYPE: {
                        "schema": {"$ref": "#/components/schemas/Problem"},
                        "examples": {},
                    }
                },
            },
        )
        entry["description"] = "; ".join(filter(None, (entry["description"], kind.title)))
        entry["content"][MEDIA_TYPE]["examples"][code] = {"$ref": f"#/components/examples/{code}"}
    return dict(sorted(declared.items(), key=lambda item: str(item[0])))


def example(kind: ProblemType) -> dict[str, Any]:
    """A problem of that kind, as a reader of the documentation sees it."""
    return {
        "type": type_uri(kind.code),
        "title": kind.title,
        "status": kind.status,
        "code": kind.code,
        "detail": kind.meaning,
        "retryable": kind.retryable,
        "request_id": "req-7d0c2f8a41c94f5a",
    }


def markdown() -> str:
    """docs/problems.md."""
    lines = [
        "# Problems",
        "",
        "Every error is an `application/problem+json` document (RFC 9457). Made from",
        "`app/api/problems.py`; write there.",
        "",
        "What the HTTP server says before the service has a request is plain text: 400 to bytes",
        "that are no HTTP/1.1 or a head of more than 32 KiB, 503 to connections beyond",
        "`CLUSTERWAY_MAX_CONNECTIONS`. A connection whose request head takes more than 15 seconds",
        "is closed without an answer. A reverse proxy has answers of its own.",
        "",
    ]
    for kind in sorted(_TYPES, key=lambda kind: (kind.status, kind.code)):
        again = "yes, unchanged" if kind.retryable else "no"
        lines += [
            f"## {kind.code}",
            "",
            f"**{kind.status}. {kind.title}.** {kind.meaning}",
            "",
            f"Remedy: {kind.remedy}",
            "",
            f"May succeed when sent again: {again}.",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"
