"""What receivers are sent, for the `webhooks` part of the OpenAPI document (3.1 only).

Nothing here is ever called: the routes describe requests that this service makes. The bodies are
written by app.webhooks.payload; a test compares the two.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import FastAPI, Header
from pydantic import ConfigDict, Field

from app.api.v1.schemas.words import CLUSTER, JOB, TIME, Told
from app.services.webhook_records import TEST_TYPE, EventType

_EXAMPLE: dict[str, Any] = {
    "type": "job.succeeded",
    "timestamp": TIME,
    "data": {
        "event_id": f"{JOB}-12",
        "seq": 12,
        "cluster_id": CLUSTER,
        "job_id": JOB,
        "procedure": "add-peer",
        "correlation": {"id": "9d385017c611", "message": "done"},
        "change": {"system": "servicenow", "number": "CHG0031234"},
        "links": {
            "job": f"https://clusterway.example.com/v1/jobs/{JOB}",
            "result": f"https://clusterway.example.com/v1/jobs/{JOB}/result",
            "evidence": f"https://clusterway.example.com/v1/jobs/{JOB}/evidence",
        },
        "event": {},
    },
}


class WebhookData(Told):
    """What happened, and to what."""

    event_id: str = Field(description="The same as `webhook-id`.", examples=[f"{JOB}-12"])
    seq: int = Field(description="Number of the event in its job or cluster.", examples=[12])
    cluster_id: str | None = Field(default=None, description="The cluster.", examples=[CLUSTER])
    job_id: str | None = Field(default=None, description="The job.", examples=[JOB])
    bulk_job_id: str | None = Field(default=None, description="The bulk job, where one ended.")
    procedure: str | None = Field(default=None, description="What the job does.")
    correlation: dict[str, Any] | None = Field(
        default=None, description="The caller's own block, untouched."
    )
    change: dict[str, Any] | None = Field(default=None, description="The job's change record.")
    links: dict[str, str] | None = Field(
        default=None,
        description="Where to read more: `cluster`, `bulk_job`, or `job`, `result`, `evidence`, "
        "and `recovery` once a job has failed or was cancelled.",
    )
    event: dict[str, Any] = Field(description="As in the event lists; depends on the type.")


class WebhookMessage(Told):
    """The body of a delivery. With `cloudevents` the same `data` stands in a CloudEvent."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    type: str = Field(description="What happened.", examples=["job.succeeded"])
    timestamp: datetime = Field(description="When it happened.", examples=[TIME])
    data: WebhookData = Field(description="What happened, and to what.")


def describe(app: FastAPI) -> None:
    """Add a webhook for each type of event to the application's description."""

    def message(
        body: WebhookMessage,
        webhook_id: Annotated[
            str,
            Header(
                alias="webhook-id",
                description="The event; the same at every retry and replay: drop what you know.",
                examples=[f"{JOB}-12"],
            ),
        ],
        webhook_timestamp: Annotated[
            str,
            Header(
                alias="webhook-timestamp",
                description="Unix seconds of this attempt; refuse what is older than 5 minutes.",
                examples=["1772357400"],
            ),
        ],
        webhook_signature: Annotated[
            str,
            Header(
                alias="webhook-signature",
                description="`v1,` and base64 of HMAC-SHA256 over id, timestamp and body joined "
                "by full stops; several, parted by blanks, while a secret is being rotated.",
                examples=["v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="],
            ),
        ],
    ) -> None:
        """Answer 2xx within 20 seconds, else it is sent again; 410 ends the subscription."""
        del body, webhook_id, webhook_timestamp, webhook_signature

    for kind in (*EventType, TEST_TYPE):
        name = str(kind)
        app.webhooks.add_api_route(
            name,
            message,
            methods=["POST"],
            status_code=204,
            operation_id=f"on{''.join(part.capitalize() for part in name.split('.'))}",
            summary=f"Told of {name}",
            tags=["webhooks"],
        )
